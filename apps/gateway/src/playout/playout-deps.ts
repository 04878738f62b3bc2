import type { DropReason, Profile } from "@voxbus/protocol";
import type { Limits } from "../limits.ts";
import type { FrameRefusal } from "../observe/refused-frames.ts";
import type { Uplink } from "../uplink/uplink.ts";
import type { Clock } from "./clock.ts";
import type { TurnReportsDeps } from "./turn-reports.ts";

/** Dependencies of a play-out. */
export interface PlayoutDeps extends TurnReportsDeps, FrameRefusal {
  readonly uplink: Pick<Uplink, "seq" | "send">;
  readonly clock: Pick<Clock, "now" | "wake">;
  readonly drops: Record<DropReason, number>;
  readonly limits: Pick<Limits, "pauseMs">;
  readonly profile: () => Pick<Profile, "language" | "lead" | "startGapMs" | "deadlineMs" | "dryMs">;
}

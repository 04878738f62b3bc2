import type { Inbound } from "@voxbus/protocol";
import type { McpAnswers } from "./mcp-answers.ts";
import type { SessionPlan } from "./plan.ts";
import type { Witness } from "./witness.ts";

/** A device whose session a target opens. */
export interface ReplayedDevice {
  /** The id under which the target sees it. */
  readonly id: string;
  readonly mcp: McpAnswers;
  /** Is told what the system under replay says to the device. */
  readonly witness: Witness;
}

/** An open session of a replayed device. */
export interface ReplayedSession {
  /** The id of the session in the target. */
  readonly id: string;
  /** False once the session has ended, from either side. */
  readonly isOpen: boolean;
  /** Sends a recorded frame as the device did. What a gateway adds by itself, such as `fence` and `gap`, is left out. */
  send(frame: Pick<Inbound, "kind" | "body">): Promise<void>;
  /** Ends the session as a device does that leaves. */
  close(): Promise<void>;
}

/** A system that recordings are replayed into. */
export interface Target {
  /** Opens a session with the recorded hello. Throws CommandError if the system refuses it. */
  open(device: ReplayedDevice, plan: SessionPlan, signal: AbortSignal): Promise<ReplayedSession>;
  close(): Promise<void>;
}

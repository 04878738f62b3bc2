import { maxDeviceTextBytes } from "@voxbus/protocol";

/** The rule that a refused frame breaks: the path of the field, and its limit. */
interface FrameRule {
  readonly field: string;
  readonly limit: string;
}

/** Frames of the bus that are dropped because their sender wrote a wrong value, by reason. */
export const refusedFrames = {
  oversize: { field: "body", limit: `must be at most ${maxDeviceTextBytes} bytes of JSON` },
  "other-session": { field: "session", limit: "must be the open session, or left out" },
  "future-origin": { field: "origin", limit: "must be at most the session's newest seq" },
  "stale-attempt": { field: "attempt", limit: "must be at least the reply's newest attempt" },
} as const satisfies Readonly<Record<string, FrameRule>>;

/** Takes the drops of refused frames. */
export interface FrameRefusal {
  /** Counts a frame that is dropped, and tells it on the bus. `rule`: what differs from the usual rule. */
  refuseFrame(reason: keyof typeof refusedFrames, rule?: Partial<FrameRule>): void;
}

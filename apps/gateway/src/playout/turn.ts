import type { PlayoutBuffer } from "./buffer.ts";
import type { TurnState } from "./turn-state.ts";

/** A turn that has no reply yet. */
export interface AwaitedTurn {
  readonly origin: number;
  /** Its beginning, ms. */
  readonly startedAt: number;
  /** Time of the last sign that somebody works on it, at first its beginning, ms. */
  aliveAt: number;
  /** When the device is told that it must wait, if there was no sign before, ms. */
  noticeAt: number;
  /** It waits for its place in a program, or did so until shortly before its notice was due. */
  waits: boolean;
  state: TurnState;
}

/** A turn without a reply, or the reply of a turn. */
export type Turn = AwaitedTurn | PlayoutBuffer;

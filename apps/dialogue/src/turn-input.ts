import { ReplyOutcome, type Heard } from "@voxbus/protocol";
import type { TurnId } from "@voxbus/subscriber";

export type { TurnId };

/** How long before a turn its session's older turns and replies matter, ms. Their users no longer wait for an answer. */
export const earlierMs = 300_000;

/** One delivery of a turn to a worker. */
export interface Delivery {
  /** The number of the delivery, from 1. */
  readonly attempt: number;
  /** True at the last delivery, at which the worker only apologizes. */
  readonly final: boolean;
  /** When the turn was stored, by the clock of NATS, ms since the epoch. */
  readonly storedAt: number;
  /** The time of the claim (`performance.now()`, ms). */
  readonly claimedAt: number;
  /** The trace headers that sentences are stored with. */
  readonly trace: Readonly<Record<string, string>>;
}

/** The input of a turn: the user's words, heard or typed. */
export interface TurnInput extends TurnId {
  /** Empty if there is a reason. */
  readonly text: string;
  /** The recognizer does not know the words, or it failed. */
  readonly reason?: Exclude<Heard["reason"], "nothing-heard">;
  /** BCP 47; unknown for typed text. */
  readonly language?: string;
  readonly delivery: Delivery;
}

/** The end of a turn. `left`: another program answers it. */
export type TurnOutcome = (typeof turnOutcomes)[number];
/** Every end of a turn. */
export const turnOutcomes = [
  "answered",
  "left",
  ...ReplyOutcome.options,
  "fenced",
  "superseded",
  "offline",
  "answered before",
  "shed",
] as const;

import type { Channel, StreamName } from "@voxbus/protocol";
import type { z } from "zod";
import type { ClaimBudget } from "./claim-budget.ts";

/** A job held by one worker. It passes to another worker when this one dies. */
export interface Claim<T> {
  readonly device: string;
  readonly message: T;
  /** The place of the message in its stream. */
  readonly seq: number;
  /** When the stream stored the message, by the clock of NATS, ms since the epoch. */
  readonly storedAt: number;
  /** The number of the delivery, from 1. */
  readonly attempt: number;
  /**
   * True from the 4th delivery on, not counting deliveries that followed a drain. The message may be killing its workers,
   * so the worker only apologizes. The message is dropped afterwards.
   */
  readonly final: boolean;
  /** The trace context of this attempt at the work. */
  readonly trace: Readonly<Record<string, string>>;
  /** The trace context that the message was stored with. Spans below it need not wait for work that takes hours. */
  readonly sent: Readonly<Record<string, string>>;
  /**
   * Aborted when the claim is nakked because the worker drains. It is not aborted when another worker takes over while this
   * process is paused. Lost compare-and-sets are the only sign of that.
   */
  readonly signal: AbortSignal;
}

/** Options of a claim loop. */
export interface ClaimOptions<S extends z.ZodType> {
  /** The channel whose messages are the jobs. */
  readonly channel: Channel<S, StreamName>;
  /** The name of the durable consumer that all workers of a kind share. */
  readonly durable: string;
  /** The maximum number of claims held at once, or a budget that loops share (`createClaimBudget`). */
  readonly slots: number | ClaimBudget;
  /**
   * Does the work. If it resolves, the message is acknowledged. If it rejects, the message is delivered again (at once
   * while draining, else after 1 s), or dropped if the claim was `final`. A rejection has no effect after a pause in which
   * another worker may have taken over. Progress is signaled every second while the work runs.
   */
  readonly work: (claim: Claim<z.infer<S>>) => Promise<void>;
}

/** A running claim loop. */
export interface Claims {
  /** The number of claims held now. */
  held(): number;
  /**
   * Stops pulling, lets held claims finish for at most `graceMs`, then aborts and naks the rest. A second call can only
   * shorten the grace.
   */
  drain(graceMs: number): Promise<void>;
}

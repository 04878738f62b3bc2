import type { Msg } from "@nats-io/transport-node";
import { ackWaitMs } from "./claim-consumer.ts";
import { verdictBytes, workingBytes, type DeliveryInfo, type Verdict } from "./delivery.ts";

/** A claim that this worker holds. */
export interface Held {
  readonly key: string;
  /** The newest delivery, on which NATS is answered. Undefined when its stream is gone. */
  handle: Msg | undefined;
  /** When progress was last signaled. */
  progressAt: number;
  /** True after a pause longer than half the acknowledgement's wait: another worker may hold the claim as well. */
  doubtful: boolean;
  readonly abort: AbortController;
  readonly done: Promise<void>;
  /** The result of the work, kept until NATS has received it. */
  verdict?: Verdict;
}

/** The claims that this worker holds. */
export interface InFlight {
  /** The number of claims whose work is running. */
  busy(): number;
  /** Every held claim, also those whose verdict is still being sent. */
  all(): readonly Held[];
  /** Holds a new claim and starts its work in the next microtask. */
  start(key: string, message: Msg, work: (held: Held) => Promise<void>): void;
  /** Takes a further delivery of a held claim as its handle. False if the claim is not held. */
  adopt(delivery: DeliveryInfo, message: Msg): boolean;
  /** Signals progress on every claim whose work is running. */
  signalProgress(): void;
  /** Drops the handles after the stream was created again, where they would acknowledge other messages. */
  dropHandles(): void;
  /** Ends the work of a claim with its verdict, which frees the slot. */
  finish(held: Held, verdict: Verdict): void;
  /** Removes a claim whose verdict needs no more attempts. */
  remove(held: Held): void;
}

/** Creates the table of held claims. */
export function createInFlight(): InFlight {
  const table = new Map<string, Held>();
  let busy = 0;

  return {
    busy: () => busy,
    all: () => [...table.values()],
    start: (key, message, work) => {
      const held: Held = {
        key,
        handle: message,
        progressAt: performance.now(),
        doubtful: false,
        abort: new AbortController(),
        done: Promise.resolve().then(() => work(held)),
      };
      table.set(key, held);
      busy += 1;
    },
    adopt: ({ key }, message) => {
      const held = table.get(key);
      if (held === undefined) return false;
      held.handle = message;
      held.progressAt = performance.now();
      held.doubtful = false;
      message.respond(held.verdict === undefined ? workingBytes : verdictBytes[held.verdict]);
      return true;
    },
    signalProgress: () => {
      const now = performance.now();
      for (const held of table.values()) {
        if (held.verdict !== undefined) continue;
        held.doubtful = isDoubtful(held);
        held.progressAt = now;
        held.handle?.respond(workingBytes);
      }
    },
    dropHandles: () => {
      for (const held of table.values()) held.handle = undefined;
    },
    finish: (held, verdict) => {
      held.verdict = verdict;
      busy -= 1;
    },
    remove: ({ key }) => void table.delete(key),
  };
}

/**
 * True when another worker may hold the claim as well. The server's wait began with the delivery, or with a progress
 * signal that left later than it was recorded. So only half of the wait is certain.
 */
export function isDoubtful({ doubtful, progressAt }: Held): boolean {
  return doubtful || performance.now() - progressAt > ackWaitMs / 2;
}

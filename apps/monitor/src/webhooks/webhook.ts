import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "@voxbus/subscriber";
import type { ApiEvent } from "../events/api-event.ts";
import { postOnce, type Receiver } from "./post.ts";

const usualWaitsMs: readonly number[] = [1000, 2000, 4000, 8000];
/** The most events that wait for a receiver. Beyond, the oldest one that may be dropped is. */
const mostWaiting = 1000;

/** An event on its way to a webhook. */
export interface Post {
  readonly event: ApiEvent;
  /** Called when the event was taken or given up. The next one waits for it. Without it the event may be dropped. */
  readonly ended?: () => Promise<unknown>;
}

/** A receiver of events, with those that wait for it. One receiver does not delay another. */
export interface Webhook {
  /**
   * Posts an event as JSON after those before it, in at most five attempts of 5 s. Answers of 400 to 499 are final, except 408
   * and 429. If the monitor stops, it is not posted, and not ended.
   */
  add(post: Post): void;
  /** Removes and gives the events that wait, with the one on its way. */
  take(): readonly Post[];
}

/** The ends of a post. `dropped`: too many waited. */
export const postOutcomes = ["taken", "refused", "failed", "dropped"] as const;
export type PostOutcome = (typeof postOutcomes)[number];

/** Creates a webhook. It ends with `signal`. */
export function createWebhook(parts: {
  readonly name: string;
  readonly receiver: Receiver;
  readonly log: Log;
  /** Called with the outcome of each event. */
  readonly posted: (outcome: PostOutcome) => void;
  readonly signal: AbortSignal;
  /** The pauses between the attempts. */
  readonly waitsMs?: readonly number[];
  readonly most?: number;
}): Webhook {
  const { name, receiver, log, posted, signal, waitsMs = usualWaitsMs, most = mostWaiting } = parts;
  const queue: Post[] = [];
  let isPosting = false;

  /** Resolves with false if the monitor stops first. */
  const post = async (event: ApiEvent): Promise<boolean> => {
    for (let tries = 0; ; tries += 1) {
      const { status, cause } = await postOnce(receiver, event, signal);
      if (signal.aborted && status === undefined) return false;
      if (status !== undefined && status >= 200 && status < 300) {
        posted("taken");
        return true;
      }
      const final = status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429;
      const wait = waitsMs[tries];
      if (final || wait === undefined) {
        posted(final ? "refused" : "failed");
        log.error(
          { cause, webhook: name, key: event.key, status, attempts: tries + 1 },
          "event not posted to the webhook",
        );
        return true;
      }
      try {
        await sleep(wait, undefined, { signal });
      } catch {
        return false; // The monitor stops. The next one posts alerts again.
      }
    }
  };
  const postAll = async () => {
    for (let next = queue[0]; next !== undefined && !signal.aborted; next = queue[0]) {
      if (!(await post(next.event))) break;
      if (queue[0] !== next) break; // It was taken away.
      queue.shift();
      try {
        await next.ended?.();
      } catch (error) {
        log.warn({ err: error, webhook: name }, "posted event not recorded");
      }
    }
    isPosting = false;
  };

  return {
    add(next) {
      queue.push(next);
      if (queue.length > most) {
        // The first one is on its way.
        const at = queue.findIndex(({ ended }, index) => index > 0 && ended === undefined);
        if (at > 0) queue.splice(at, 1);
        if (at > 0) posted("dropped");
      }
      if (isPosting) return;
      isPosting = true;
      void postAll();
    },
    take: () => queue.splice(0),
  };
}

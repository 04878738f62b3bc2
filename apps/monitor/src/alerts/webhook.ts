import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "@voxbus/service";
import type { Alert } from "@voxbus/protocol";

const timeoutMs = 5000;
const usualWaitsMs: readonly number[] = [1000, 2000, 4000, 8000];

/** Somebody who is told of alerts over HTTP. */
export interface Webhook {
  /**
   * Posts a step as JSON, five times at most, 5 s each; answers of 400 to 499 but 408 and 429 are final. True when it was
   * taken or given up, false when the monitor stops first.
   */
  post(step: Alert): Promise<boolean>;
}

/** Makes the webhook at `url`; `posted` is told how each step ended. */
export function createWebhook(parts: {
  readonly url: string;
  readonly log: Log;
  readonly posted: (outcome: "taken" | "refused" | "failed") => void;
  readonly signal: AbortSignal;
  /** Between the tries. */
  readonly waitsMs?: readonly number[];
}): Webhook {
  const { url, log, posted, signal, waitsMs = usualWaitsMs } = parts;

  /** The answer's status, or undefined when there was none in time. */
  const attempt = async (step: Alert): Promise<number | undefined> => {
    const phase = step.resolved ? "resolved" : step.severity;
    try {
      const response = await fetch(url, {
        method: "POST",
        // Whoever gets a step a second time, because its answer was lost, knows it by its key.
        headers: { "content-type": "application/json", "idempotency-key": `${step.id}-${phase}` },
        body: JSON.stringify(step),
        redirect: "manual",
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      await response.body?.cancel();
      return response.status;
    } catch (error) {
      if (!signal.aborted) log.debug({ err: error }, "the webhook did not answer");
      return undefined;
    }
  };

  return {
    async post(step) {
      for (let tries = 0; ; tries += 1) {
        const status = await attempt(step);
        if (signal.aborted && status === undefined) return false;
        if (status !== undefined && status >= 200 && status < 300) {
          posted("taken");
          return true;
        }
        const final = status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429;
        const wait = waitsMs[tries];
        if (final || wait === undefined) {
          posted(final ? "refused" : "failed");
          log.error({ alert: step.id, status, tries: tries + 1 }, "the webhook was not told of an alert");
          return true;
        }
        try {
          await sleep(wait, undefined, { signal });
        } catch {
          return false; // the monitor stops; the next one posts it
        }
      }
    },
  };
}

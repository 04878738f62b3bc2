import { setTimeout as sleep } from "node:timers/promises";
import type { Alert } from "@voxbus/protocol";
import { describeCause, type ErrorCause, type Log } from "@voxbus/subscriber";

const timeoutMs = 5000;
const usualWaitsMs: readonly number[] = [1000, 2000, 4000, 8000];

/** An HTTP address that alerts are posted to. */
export interface Webhook {
  /**
   * Posts a step as JSON, in at most five attempts of 5 s. Answers of 400 to 499 are final, except 408 and 429. Resolves
   * with true once the step was taken or given up, and with false if the monitor stops first.
   */
  post(step: Alert): Promise<boolean>;
}

/** Creates the webhook at `url`. `posted` is called with the outcome of each step. */
export function createWebhook(parts: {
  readonly url: string;
  readonly log: Log;
  readonly posted: (outcome: "taken" | "refused" | "failed") => void;
  readonly signal: AbortSignal;
  /** The pauses between the attempts. */
  readonly waitsMs?: readonly number[];
}): Webhook {
  const { url, log, posted, signal, waitsMs = usualWaitsMs } = parts;

  /** Resolves with the answer's status, or with the reason why there was none in time. */
  const attempt = async (step: Alert): Promise<{ readonly status?: number; readonly cause?: ErrorCause }> => {
    const phase = step.resolved ? "resolved" : step.severity;
    // AbortSignal.any does not keep an AbortSignal.timeout alive, which then never fires.
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), timeoutMs);
    try {
      const response = await fetch(url, {
        method: "POST",
        // If an answer is lost, the step is posted again under the same key.
        headers: { "content-type": "application/json", "idempotency-key": `${step.id}-${phase}` },
        body: JSON.stringify(step),
        redirect: "manual",
        signal: AbortSignal.any([signal, patience.signal]),
      });
      await response.body?.cancel();
      return { status: response.status };
    } catch (error) {
      // The error's text may hold the address, and with it a secret.
      return { cause: describeCause(error) };
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    async post(step) {
      for (let tries = 0; ; tries += 1) {
        const { status, cause } = await attempt(step);
        if (signal.aborted && status === undefined) return false;
        if (status !== undefined && status >= 200 && status < 300) {
          posted("taken");
          return true;
        }
        const final = status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429;
        const wait = waitsMs[tries];
        if (final || wait === undefined) {
          posted(final ? "refused" : "failed");
          log.error({ cause, alert: step.id, status, attempts: tries + 1 }, "alert not posted to the webhook");
          return true;
        }
        try {
          await sleep(wait, undefined, { signal });
        } catch {
          return false; // The monitor stops. The next one posts the step.
        }
      }
    },
  };
}

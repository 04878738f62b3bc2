import { z } from "zod";
import { usualWaiting, type WaitingLimits } from "./pool.ts";
import { createRateLimit, type RateLimit } from "./rate-limit.ts";

const usualPerMinute = 100;

/** The environment variable for the bounds of a pool's queues, such as `100,500,1000`. `readWaiting` reads it. */
export function waitingVariable(jobs: string) {
  return z
    .string()
    .regex(/^\d{1,6},\d{1,6},\d{1,6}$/, "expected three counts of up to six digits, such as 100,500,1000")
    .default(Object.values(usualWaiting).join(","))
    .describe(`${jobs} that may wait, of high, normal and low priority; one more is refused`);
}

/** Reads the bounds of a pool's queues. */
export function readWaiting(value: string): WaitingLimits {
  const [high = 0, normal = 0, low = 0] = value.split(",").map(Number);
  return { high, normal, low };
}

/** The environment variable for the calls of an engine in a minute. `readRate` reads it. */
export function callsVariable(key: string) {
  return z.coerce
    .number()
    .int()
    .min(0)
    .max(10_000)
    .optional()
    .describe(
      `calls in any minute of all openai engines with this key, in this process; 0: any number (default: ${usualPerMinute} if ${key} is set, otherwise any number)`,
    );
}

/** The limits of this process by key and number, since a service counts by key: all engines with a key share one. */
const sharedRates = new Map<string, RateLimit>();

/**
 * Gives the rate limit of an engine. Engines with the same key and number share it. A server without a key is one's own: it has no
 * limit unless one is set, and shares none.
 */
export function readRate(perMinute: number | undefined, key: string | undefined): RateLimit | undefined {
  const most = perMinute ?? (key === undefined ? 0 : usualPerMinute);
  if (most === 0) return undefined;
  if (key === undefined) return createRateLimit(most);
  const name = `${most} ${key}`;
  const rate = sharedRates.get(name) ?? createRateLimit(most);
  sharedRates.set(name, rate);
  return rate;
}

import { setTimeout as sleep } from "node:timers/promises";
import { ConflictError } from "./errors.ts";

const maxTries = 10;
const firstPauseMs = 5;
const maxPauseMs = 200;

/**
 * Runs `attempt` until it does not lose its compare-and-set: 10 times at most, within about 1 s, with a growing pause in
 * between. Each attempt must read again what it compares with. Throws the last ConflictError, or the reason of `signal`.
 */
export async function retryConflicts<T>(attempt: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof ConflictError) || tries === maxTries) throw error;
    }
    await sleep(Math.min(firstPauseMs * 2 ** (tries - 1), maxPauseMs));
    signal?.throwIfAborted();
  }
}

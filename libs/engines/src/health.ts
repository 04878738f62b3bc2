import { failures, readFailure, readRetryAfter, type FailureReason } from "./failure.ts";

/** The log of what becomes of engines. */
export interface EngineLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** A request to an engine. Its end is noted once; one that its caller gave up has none. */
export interface EngineRequest {
  succeeded(): void;
  failed(error: unknown): void;
}

/** Knows whether an engine can be used now. */
export interface EngineHealth {
  readonly name: string;
  /** False from a failure of the service until a probe or a request succeeds. */
  readonly isUsable: boolean;
  /** Counts a request. */
  begin(): EngineRequest;
  close(): void;
}

/** The waits (ms) before a probe: the first, and the longest. */
export interface CoolDown {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** The parts of an engine's health. */
export interface HealthOptions {
  readonly name: string;
  /** Asks the engine for as little as possible. Rejects if it fails. */
  readonly probe: (signal: AbortSignal) => Promise<void>;
  readonly log: EngineLog;
  readonly coolDown?: CoolDown | undefined;
  readonly onRequest?: (() => void) | undefined;
  readonly onFailure?: ((reason: FailureReason) => void) | undefined;
}

const usualCoolDown: CoolDown = { firstMs: 5000, mostMs: 120_000 };
/** The longest time of a probe, ms. */
const probeMs = 30_000;
/** The shortest and the longest cool-down that a service may ask for, ms. */
const askedMs = { least: 1000, most: 600_000 } as const;

/**
 * Creates the health of an engine that is usable. A failure of its service starts a cool-down of 5 s, then a probe. One that
 * fails doubles the cool-down, up to 2 minutes. A service may ask for another time (Retry-After). There is one probe at a
 * time, however many requests fail meanwhile.
 */
export function createEngineHealth(options: HealthOptions): EngineHealth {
  const { name, probe, log, coolDown = usualCoolDown, onRequest, onFailure } = options;
  const closing = new AbortController();
  /** The present cool-down; undefined while the engine is usable. */
  let cooling: symbol | undefined;
  let timer: NodeJS.Timeout | undefined;
  let dueAt = 0;

  function wait(ms: number): void {
    clearTimeout(timer);
    dueAt = performance.now() + ms;
    if (closing.signal.aborted) return;
    timer = setTimeout(() => void tryAgain(ms), ms);
    timer.unref();
  }
  async function tryAgain(waitedMs: number): Promise<void> {
    const since = cooling;
    const late = new AbortController();
    const limit = setTimeout(() => late.abort(new Error("the probe took too long")), probeMs);
    const stop = AbortSignal.any([closing.signal, late.signal]);
    let retryMs = Math.min(2 * waitedMs, coolDown.mostMs);
    const reason = await probe(stop).then(
      () => (stop.aborted ? "time-out" : undefined),
      (error: unknown) => {
        retryMs = readAsked(error) ?? retryMs;
        return stop.aborted ? "time-out" : readFailure(error);
      },
    );
    clearTimeout(limit);
    // A request may have ended that cool-down meanwhile, and another one may have begun.
    if (cooling === undefined || cooling !== since) return;
    if (reason === undefined || !failures[reason].cools) recover();
    else wait(retryMs);
  }
  function recover(): void {
    if (cooling === undefined) return;
    cooling = undefined;
    clearTimeout(timer);
    log.info({ engine: name }, "engine usable again");
  }
  function fail(error: unknown): void {
    const reason = readFailure(error);
    onFailure?.(reason);
    if (!failures[reason].cools) return;
    const asked = readAsked(error);
    if (cooling !== undefined) {
      if (asked !== undefined && performance.now() + asked > dueAt) wait(asked);
      return;
    }
    cooling = Symbol("cool-down");
    const waitMs = asked ?? coolDown.firstMs;
    log.warn({ engine: name, reason, waitMs }, "engine unusable");
    wait(waitMs);
  }

  return {
    name,
    get isUsable() {
      return cooling === undefined;
    },
    begin() {
      onRequest?.();
      let open = true;
      const end = (note: () => void) => {
        if (open) note();
        open = false;
      };
      return { succeeded: () => end(recover), failed: (error) => end(() => fail(error)) };
    },
    close() {
      clearTimeout(timer);
      closing.abort(new Error("the program stops"));
    },
  };
}

function readAsked(error: unknown): number | undefined {
  const ms = readRetryAfter(error);
  return ms === undefined ? undefined : Math.min(Math.max(ms, askedMs.least), askedMs.most);
}

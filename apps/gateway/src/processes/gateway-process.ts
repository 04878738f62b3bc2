import type { SendHandle, Serializable } from "node:child_process";
import cluster, { type Worker } from "node:cluster";
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError, type Log, type StopMode } from "@voxbus/subscriber";
import { processArguments } from "./process-number.ts";

const firstDelayMs = 1000;
const longestDelayMs = 30_000;
/** A process that was ready for this long before it died is restarted after the first delay again, ms. */
const settledMs = 10_000;
/** The exit code of a program that needs its operator: a restart would not help (EX_CONFIG). */
const failedCode = 78;
/** Longest wait for the answer of a process, ms. A drain takes longer, and is not asked for in this way. */
const answerMs = 5000;
const signals = { drain: "SIGTERM", quick: "SIGINT" } as const satisfies Record<StopMode, NodeJS.Signals>;

/** The answer of a process on its operations port. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One of the gateway processes. It is started again when it dies. */
export interface GatewayProcess {
  readonly number: number;
  /** Resolves with the addresses of the first start. Rejects with ConfigError if it ended before it was ready. */
  readonly ready: Promise<Readonly<Record<string, string>>>;
  /** True from when it is ready until it ends. */
  isUp(): boolean;
  /** Asks its operations port. Undefined if it does not answer within 5 s, or is not up. */
  ask(path: string, request?: RequestInit): Promise<Answer | undefined>;
  /** Kills it because it hangs. */
  kill(): void;
  /** Tells it to stop, and resolves when it is gone. It is not started again. */
  stop(mode: StopMode): Promise<void>;
}

/** The parts of the parent that a gateway process needs. */
export interface ProcessOptions {
  /** Gives the variables for each start. */
  readonly environment: () => Readonly<Record<string, string>>;
  readonly log: Log;
  /** Called when it is about to be started again. */
  readonly restarting: () => void;
  /** Called when it failed for a reason that a restart does not remove. */
  readonly failed: (reason: Error) => void;
}

/** Starts a gateway process and keeps it running. A restart waits 1 s, and twice as long each time, up to 30 s. */
export function startGatewayProcess(number: number, options: ProcessOptions): GatewayProcess {
  const { environment, log, restarting, failed } = options;
  const ready = createDeferred<Readonly<Record<string, string>>>();
  const gone = createDeferred<void>();
  const stopping = new AbortController();
  let worker: Worker | undefined;
  let ops: string | undefined;
  let wasReady = false;
  let failures = 0;

  const start = () => {
    let readySince: number | undefined;
    // Node takes the arguments of the next process from these settings.
    cluster.setupPrimary({ args: [...process.argv.slice(2), ...processArguments(number)] });
    const started = cluster.fork(environment());
    worker = started;
    closeLostConnection(started);
    log.info({ worker: number, process: started.process.pid }, "gateway process started");
    started.on("message", ({ type, addresses }: { type?: string; addresses: Readonly<Record<string, string>> }) => {
      if (type !== "ready") return;
      if (wasReady) log.info({ worker: number }, "gateway process restarted");
      readySince = performance.now();
      wasReady = true;
      ops = addresses["ops"];
      ready.resolve(addresses);
    });
    started.once("exit", (code: number | null, signal: string | null) => {
      worker = undefined;
      ops = undefined;
      if (stopping.signal.aborted) gone.resolve();
      else if (code === failedCode) failed(new Error(`gateway process ${number} ended with code ${code}`));
      else if (!wasReady && signal === null) ready.reject(explainStart(number, code));
      else {
        if (readySince !== undefined && performance.now() - readySince >= settledMs) failures = 0;
        restart({ code, signal });
      }
    });
  };
  const restart = (how: { readonly code: number | null; readonly signal: string | null }) => {
    const delayMs = Math.min(firstDelayMs * 2 ** failures, longestDelayMs);
    failures += 1;
    const fields = { worker: number, ...how, delayMs };
    if (how.code === 0) log.info(fields, "gateway process ended, restarting");
    else log.error(fields, "gateway process died, restarting");
    restarting();
    sleep(delayMs, undefined, { signal: stopping.signal }).then(start, () => undefined);
  };

  start();
  return {
    number,
    ready: ready.promise,
    isUp: () => ops !== undefined,
    async ask(path, request) {
      if (ops === undefined) return undefined;
      try {
        const response = await fetch(`${ops}${path}`, { ...request, signal: AbortSignal.timeout(answerMs) });
        return { status: response.status, body: await response.text() };
      } catch (err) {
        log.debug({ err, worker: number, path }, "gateway process silent");
        return undefined;
      }
    },
    kill: () => void worker?.process.kill("SIGKILL"),
    async stop(mode) {
      stopping.abort();
      if (worker === undefined) return;
      worker.process.kill(signals[mode]);
      await gone.promise;
    },
  };
}

/**
 * Closes the connection that was on its way to a process when it died. Node would leave it open, and its device would wait
 * in vain. A process has one at most, because the next is sent when it has taken the last.
 */
function closeLostConnection(worker: Worker): void {
  const { process: child } = worker;
  const send = child.send.bind(child) as (message: Serializable, handle?: SendHandle) => boolean;
  let last: { close?(): void } | undefined;
  child.send = (message: Serializable, handle?: unknown) => {
    if (handle !== undefined && handle !== null) last = handle;
    return send(message, handle as SendHandle);
  };
  // Closing twice is harmless.
  worker.once("exit", () => last?.close?.());
}

function explainStart(number: number, code: number | null): ConfigError {
  return new ConfigError([`gateway process ${number} could not start (code ${code}): see its last lines above`]);
}

function createDeferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  // A start that fails may have no reader: the parent reads the first one only until it stops.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

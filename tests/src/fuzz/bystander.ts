import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** The experience of well-behaved devices; times in ms. */
export interface BystanderReport {
  /** The times from a JSON ping to its pong. */
  readonly pings: number[];
  /** The times from a typed text to the first sentence of the answer. */
  readonly turns: number[];
  /** The times from a typed text to the first sound of the answer. */
  readonly sounds: number[];
  /** The times between two packets of an answer. */
  readonly gaps: number[];
  /** The times of requests for their configuration. */
  readonly configurations: number[];
  /** How late the timers of their own thread were. No program on this machine can be expected to be faster. */
  readonly lags: number[];
  /** Their problems. */
  readonly problems: string[];
}

/** The addresses and the number of the devices. */
export interface BystanderOptions {
  readonly url: string;
  readonly ota: string;
  /** The number of devices; 1 by default. */
  readonly devices?: number;
  /** The token of all devices, if the gateway wants one. */
  readonly token?: string;
}

/** Well-behaved devices that are connected during the run. */
export interface Bystander {
  /** Resolves with the experience since the last call. */
  take(): Promise<BystanderReport>;
  /** Waits for the last answers, disconnects, and resolves with the experience since the last `take`. */
  end(): Promise<BystanderReport>;
}

/** The id of bystander `n`, counted from 0. */
export function nameBystander(n: number): string {
  return n === 0 ? "bystander" : `bystander-${n}`;
}

/** Connects bystanders. They ping, ask for the time and fetch their configuration until `end`. */
export async function startBystander(options: BystanderOptions): Promise<Bystander> {
  const thread = new Worker(new URL("../../dist/fuzz/bystander-thread.js", import.meta.url), { workerData: options });
  const next = async () => ((await once(thread, "message")) as [unknown])[0];
  if ((await next()) !== "ready") throw new Error("the bystander could not connect");
  const ask = async (what: "take" | "end") => {
    thread.postMessage(what, []);
    return (await next()) as BystanderReport;
  };
  return { take: () => ask("take"), end: () => ask("end") };
}

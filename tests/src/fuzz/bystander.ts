import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** The experience of a well-behaved device; times in ms. */
export interface BystanderReport {
  /** The times from a JSON ping to its pong. */
  readonly pings: number[];
  /** The times from a typed text to the first sentence of the answer. */
  readonly turns: number[];
  /** The times of requests for its configuration. */
  readonly configurations: number[];
  /** Its problems. */
  readonly problems: string[];
}

/** A well-behaved device that is connected during the run. */
export interface Bystander {
  end(): Promise<BystanderReport>;
}

/** Connects a bystander. It pings, asks for the time and fetches its configuration until `end`. */
export async function startBystander(url: string, ota: string): Promise<Bystander> {
  const thread = new Worker(new URL("../../dist/fuzz/bystander-thread.js", import.meta.url), {
    workerData: { url, ota },
  });
  const next = async () => (await once(thread, "message")) as [unknown];
  const [first] = await next();
  if (first !== "ready") throw new Error("the bystander could not connect");
  return {
    async end() {
      thread.postMessage("end", []);
      const [report] = await next();
      return report as BystanderReport;
    },
  };
}

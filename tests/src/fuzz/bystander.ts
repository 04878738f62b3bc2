import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** What a well-behaved device went through meanwhile; all in ms. */
export interface BystanderReport {
  /** From a JSON ping to its pong. */
  readonly pings: number[];
  /** From a typed text to the first sentence of the answer. */
  readonly turns: number[];
  /** A request for its configuration. */
  readonly configurations: number[];
  /** What went wrong for it. */
  readonly problems: string[];
}

/** A well-behaved device beside all that is sent. */
export interface Bystander {
  end(): Promise<BystanderReport>;
}

/** Connects the bystander, which pings, asks for the time, and fetches its configuration all through. */
export async function startBystander(url: string, ota: string): Promise<Bystander> {
  const thread = new Worker(new URL("../../dist/fuzz/bystander-thread.js", import.meta.url), {
    workerData: { url, ota },
  });
  const next = async () => (await once(thread, "message")) as [unknown];
  const [first] = await next();
  if (first !== "ready") throw new Error("the bystander did not get in");
  return {
    async end() {
      thread.postMessage("end", []);
      const [report] = await next();
      return report as BystanderReport;
    },
  };
}

import { finished } from "node:stream";
import type { OpsHandler } from "./ops.ts";

/** Longest wait for the answer to `POST /pre-stop`, ms. The process has 30 s to stop. */
const boundMs = 28_000;

/**
 * Answers `POST /pre-stop` with 200 when the program has drained, or with 503 after `withinMs`. Calls `answered` after the
 * answer, also if the client has gone.
 */
export function answerPreStop(drain: () => Promise<void>, answered: () => void, withinMs = boundMs): OpsHandler {
  return async (_request, response) => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), withinMs)));
    const drained = await Promise.race([drain().then(() => true), late]);
    clearTimeout(timer);
    finished(response, () => answered());
    response.writeHead(drained ? 200 : 503, { "content-type": "application/json" });
    response.end(`${JSON.stringify({ drained })}\n`);
  };
}

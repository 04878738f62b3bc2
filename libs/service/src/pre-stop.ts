import type { OpsHandler } from "./ops.ts";

/** Whoever asks for a drain hears within this time whether it was done, ms; the process itself is given 30 s to stop. */
const boundMs = 28_000;

/** Answers `POST /pre-stop` when it is safe to end the process: 200, or 503 when the bound came first. */
export function answerPreStop(drain: () => Promise<void>, withinMs = boundMs): OpsHandler {
  return async (_request, response) => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), withinMs)));
    const drained = await Promise.race([drain().then(() => true), late]);
    clearTimeout(timer);
    response.writeHead(drained ? 200 : 503, { "content-type": "application/json" });
    response.end(`${JSON.stringify({ drained })}\n`);
  };
}

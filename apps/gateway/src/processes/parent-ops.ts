import type { ServerResponse } from "node:http";
import type { ParentContext } from "@voxbus/subscriber";
import type { gatewayConfig } from "../config.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { mergeMetrics } from "./merge-metrics.ts";

const longestBody = 64;

/**
 * Lets the parent's operations port answer for all gateway processes. `/readyz` is 200 while at least one is ready, since
 * that one takes the new devices. `/metrics` has the numbers of each with the label `worker`. A changed log level is
 * changed in all. `POST /pre-stop` drains all, as the end of any program.
 */
export function answerForAll(
  { log, route, metrics }: Pick<ParentContext<typeof gatewayConfig>, "log" | "route" | "metrics">,
  processes: readonly GatewayProcess[],
): void {
  const askAll = (path: string, request?: RequestInit) =>
    Promise.all(processes.map(async (one) => ({ worker: one.number, answer: await one.ask(path, request) })));

  route("GET /readyz", async (_request, response) => {
    const answers = await askAll("/readyz");
    const workers = answers.map(({ worker, answer }) => ({ worker, ...readReadiness(answer?.body) }));
    const ready = workers.some((one) => one.ready);
    const failing = ready ? [] : [...new Set(workers.flatMap((one) => one.failing))];
    answerJson(response, ready ? 200 : 503, { ready, failing, workers });
  });
  route("GET /metrics", async (_request, response) => {
    const answers = await askAll("/metrics");
    const parts = answers.map(({ worker, answer }) => ({ worker: String(worker), text: answer?.body ?? "" }));
    response.setHeader("content-type", "text/plain; version=0.0.4");
    response.end(mergeMetrics([{ worker: "parent", text: await metrics() }, ...parts]));
  });
  route("PUT /log-level", async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) {
      body += chunk as string;
      if (body.length > longestBody) break;
    }
    const answers = await askAll("/log-level", { method: "PUT", body });
    const [first] = answers.flatMap(({ answer }) => answer ?? []);
    if (first?.status === 200) log.level = body.trim();
    response.writeHead(first?.status ?? 503).end(first?.body ?? "no gateway process answers\n");
  });
}

function readReadiness(body: string | undefined): { readonly ready: boolean; readonly failing: readonly string[] } {
  if (body === undefined) return { ready: false, failing: ["running"] };
  return JSON.parse(body) as { ready: boolean; failing: readonly string[] };
}

function answerJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
}

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { isKnownHost } from "./hosts.ts";
import { listen, serverTimes, type ListenOptions } from "./listen.ts";
import type { Log } from "./log.ts";

/** A handler of one route of the operations port. */
export type OpsHandler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** The operations port of a program: `/livez`, `/readyz`, `/metrics` and the program's own routes. */
export interface Ops {
  readonly address: string;
  close(): Promise<void>;
}

const opsLimits = { total: 64, perAddress: 32 };

/** Explains why a request may come from a web page, or gives undefined. The operations port serves no page. */
function suspectPage({ headers }: IncomingMessage, hosts: readonly string[]): string | undefined {
  if (headers.origin !== undefined) return "expected no Origin: web pages have no access";
  if (headers["sec-fetch-site"] === "cross-site") return "expected no request from another site";
  if (isKnownHost(headers.host, hosts)) return undefined;
  return "expected an IP address or localhost in Host: list other names in VOXBUS_HOSTS";
}

/** Opens the operations port. It answers 403 to web pages and unknown hosts. The program is ready if every one of `checks` returns true. */
export async function openOps(options: {
  readonly listener: ListenOptions;
  /** Host names that requests may use besides localhost and addresses. */
  readonly hosts: readonly string[];
  readonly checks: ReadonlyMap<string, () => boolean>;
  readonly routes: ReadonlyMap<string, OpsHandler>;
  readonly metrics: OpsHandler;
  readonly log: Log;
}): Promise<Ops> {
  const { log } = options;
  const json = (response: ServerResponse, status: number, body: object) => {
    // A refused client has no further use for its connection.
    if (status >= 400 && status < 500) response.setHeader("connection", "close");
    response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
  };
  const isReady = (name: string, check: () => boolean) => {
    try {
      return check();
    } catch (err) {
      log.debug({ err, check: name }, "check failed");
      return false;
    }
  };
  const answer: OpsHandler = (request, response) => {
    const refusal = suspectPage(request, options.hosts);
    if (refusal !== undefined) return json(response, 403, { error: refusal });
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    const route = options.routes.get(`${request.method} ${path}`);
    if (route) return route(request, response);
    if (path === "/livez") return json(response, 200, { live: true });
    if (path === "/metrics") return options.metrics(request, response);
    if (path !== "/readyz") return json(response, 404, { error: "not found" });
    const failing = [...options.checks].filter(([name, check]) => !isReady(name, check)).map(([name]) => name);
    json(response, failing.length ? 503 : 200, { ready: failing.length === 0, failing });
  };
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    try {
      await answer(request, response);
    } catch (error) {
      log.error({ err: error, method: request.method, path: request.url?.split("?")[0] }, "operations request failed");
      if (response.headersSent) response.destroy();
      else json(response, 500, { error: error instanceof Error ? error.message : String(error) });
    }
  };
  const server = createServer(serverTimes, (request, response) => void handle(request, response));
  const address = await listen(server, { limits: opsLimits, exclusive: true, ...options.listener });
  return {
    address,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

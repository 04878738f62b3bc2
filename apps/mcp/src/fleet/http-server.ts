import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { nameCause, serverTimes, type Log } from "@voxbus/subscriber";
import type { Refusal } from "./access.ts";
import type { Sessions } from "./sessions.ts";

const path = "/mcp";
const methods = ["GET", "POST", "DELETE"];

/** Makes the HTTP server of the fleet's MCP server, not listening yet. Its one path is `/mcp`. */
export function createFleetHttp(options: {
  readonly access: (request: IncomingMessage) => Refusal | undefined;
  readonly sessions: Sessions;
  readonly log: Log;
  /** Called for each refused request. */
  readonly refused: (status: number) => void;
}): Server {
  const { access, sessions, log, refused } = options;
  const check = (request: IncomingMessage): Refusal | undefined => {
    const denied = access(request);
    if (denied !== undefined) return denied;
    if (request.url?.split("?")[0] !== path) return { status: 404, message: `the MCP server is at ${path}` };
    if (methods.includes(request.method ?? "")) return undefined;
    return { status: 405, message: `${path} takes ${methods.join(", ")}`, headers: { allow: methods.join(", ") } };
  };
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    response.setHeader("cache-control", "no-store");
    response.setHeader("x-content-type-options", "nosniff");
    const refusal = check(request) ?? (await sessions.handle(request, response));
    if (refusal === undefined) return;
    refused(refusal.status);
    refuse(response, refusal);
  };
  return createServer(serverTimes, (request, response) => {
    handle(request, response).catch((error: unknown) => {
      log.error({ cause: nameCause(error) }, "request failed");
      if (response.headersSent) response.destroy();
      else refuse(response, { status: 500, message: "an unexpected error, see the log of mcp" });
    });
  });
}

/** Answers as the SDK's transport does: with an error of JSON-RPC. The connection ends, as the body was not read. */
function refuse(response: ServerResponse, { status, message, headers }: Refusal): void {
  const body = JSON.stringify({ jsonrpc: "2.0", error: { code: -32_000, message }, id: null });
  response.writeHead(status, { ...headers, "content-type": "application/json", connection: "close" }).end(body);
}

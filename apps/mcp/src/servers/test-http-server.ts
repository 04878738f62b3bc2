import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { randomUUID } from "node:crypto";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { onTestFinished } from "vitest";
import { z } from "zod";

/** An MCP server over HTTP for the tests of the bridge, built with the SDK. */
export interface TestHttpServer {
  readonly url: string;
  /** The requests that came without the right token. */
  readonly refused: () => number;
  /** Calls that were canceled. */
  readonly canceled: () => number;
  /** Adds a tool to the running server. */
  addTool(name: string): void;
  /** Ends it, as a crash does, and starts it again on the same port without its sessions. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a server that requires the token `right-token`. It speaks both transports: `/mcp` and `/sse`. */
export async function startHttpServer(): Promise<TestHttpServer> {
  let [refused, canceled] = [0, 0];
  const extra: string[] = [];
  let servers: McpServer[] = [];
  let handlers = new Map<string, (request: IncomingMessage, response: ServerResponse) => Promise<void>>();

  const create = () => {
    const server = new McpServer({ name: "web", version: "2" });
    const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] });
    server.registerTool("echo", { inputSchema: { text: z.string() } }, ({ text: given }) => text(given));
    server.registerTool("huge", {}, () => text("x".repeat(5_000_000)));
    server.registerTool("hang", {}, async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      canceled += 1;
      return text("late");
    });
    for (const name of extra) server.registerTool(name, {}, () => text(name));
    servers.push(server);
    return server;
  };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.headers.authorization !== "Bearer right-token") {
      refused += 1;
      response.writeHead(401, { "www-authenticate": "Bearer" }).end("hunter2");
      return;
    }
    const { pathname, searchParams } = new URL(request.url ?? "", "http://x");
    const session = searchParams.get("sessionId") ?? request.headers["mcp-session-id"];
    const known = typeof session === "string" ? handlers.get(session) : undefined;
    if (known !== undefined) return known(request, response);
    if (session !== undefined && session !== null) {
      response.writeHead(404).end();
    } else if (pathname === "/sse") {
      const transport = new SSEServerTransport("/messages", response);
      handlers.set(transport.sessionId, (next, answer) => transport.handlePostMessage(next, answer));
      await create().connect(transport);
    } else {
      const transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (id) => void handlers.set(id, (next, answer) => transport.handleRequest(next, answer)),
      });
      await create().connect(transport);
      await transport.handleRequest(request, response);
    }
  };
  const listen = async (port: number): Promise<Server> => {
    const server = createServer((request, response) => void handle(request, response));
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    return server;
  };
  let http = await listen(0);
  const { port } = http.address() as AddressInfo;
  const stop = async () => {
    await Promise.all(servers.map((server) => server.close()));
    [servers, handlers] = [[], new Map()];
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  };
  onTestFinished(stop);
  return {
    url: `http://127.0.0.1:${port}`,
    refused: () => refused,
    canceled: () => canceled,
    addTool(name) {
      extra.push(name);
      const text = { content: [{ type: "text" as const, text: name }] };
      for (const server of servers) server.registerTool(name, {}, () => text);
    },
    async restart() {
      await stop();
      http = await listen(port);
    },
    stop,
  };
}

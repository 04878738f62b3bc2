import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { Refusal } from "./access.ts";

/** The sessions of assistants. */
export interface Sessions {
  /** Handles a request: in its session, in a new one, or not at all. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<Refusal | undefined>;
  count(): number;
  /** Ends all sessions. */
  close(): Promise<void>;
}

interface Session {
  readonly server: McpServer;
  readonly transport: StreamableHTTPServerTransport;
  /** Requests that wait for their answers, an open stream of events not included. */
  open: number;
  lastUsed: number;
}

const maxBodyBytes = 262_144;
const idleMs = 3_600_000;
const sweepMs = 60_000;

/**
 * Creates the sessions: at most `most`. For one more, the session idle for longest ends; its assistant then begins a new one. If
 * every session is in use, the new one is refused. A session ends after an hour without a request.
 */
export function createSessions({
  most,
  create,
}: {
  readonly most: number;
  readonly create: () => McpServer;
}): Sessions {
  const sessions = new Map<string, Session>();

  const end = async (id: string, { server }: Session) => {
    sessions.delete(id);
    await server.close();
  };
  const makeRoom = async (): Promise<boolean> => {
    if (sessions.size < most) return true;
    const idle = [...sessions].filter(([, { open }]) => open === 0);
    const [oldest] = idle.toSorted(([, a], [, b]) => a.lastUsed - b.lastUsed);
    if (oldest !== undefined) await end(...oldest);
    return oldest !== undefined;
  };
  const open = async (): Promise<Session> => {
    const server = create();
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      enableJsonResponse: true,
      maxRequestBodySize: maxBodyBytes,
      onsessioninitialized: (id) => void sessions.set(id, session),
      onsessionclosed: (id) => void sessions.delete(id),
    });
    const session: Session = { server, transport, open: 0, lastUsed: performance.now() };
    await server.connect(transport);
    return session;
  };
  const pass = async (session: Session, request: IncomingMessage, response: ServerResponse) => {
    const waits = request.method === "POST" ? 1 : 0;
    session.open += waits;
    try {
      await session.transport.handleRequest(request, response);
    } finally {
      session.open -= waits;
      session.lastUsed = performance.now();
    }
  };
  const sweep = setInterval(() => {
    const before = performance.now() - idleMs;
    for (const [id, session] of sessions) if (session.open === 0 && session.lastUsed < before) void end(id, session);
  }, sweepMs);
  sweep.unref();

  return {
    async handle(request, response) {
      const id = request.headers["mcp-session-id"];
      const known = typeof id === "string" ? sessions.get(id) : undefined;
      if (known !== undefined) {
        await pass(known, request, response);
        return undefined;
      }
      // The status that makes an assistant begin a new session.
      if (id !== undefined) return { status: 404, message: "the session has ended, begin a new one" };
      if (request.method !== "POST") return { status: 400, message: "expected the header Mcp-Session-Id" };
      if (!(await makeRoom())) {
        return { status: 503, message: "every session is in use, try again later", headers: { "retry-after": "10" } };
      }
      const session = await open();
      await pass(session, request, response);
      // A request that does not initialize opens no session.
      if (session.transport.sessionId === undefined) await session.server.close();
      return undefined;
    },
    count: () => sessions.size,
    async close() {
      clearInterval(sweep);
      await Promise.all([...sessions].map((entry) => end(...entry)));
    },
  };
}

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { ProtocolError, refusals, type FramingVersion, type Refusal } from "@voxbus/protocol";
import { WebSocketServer, type WebSocket } from "ws";
import { addressOf, type Admission } from "./capacity.ts";
import { isLoopback, type Auth, type Identity } from "./auth.ts";
import type { GatewayConfig } from "../config.ts";
import { count, type Counters } from "../observe/counters.ts";
import { checkOrigin, readFraming, readIdentity, RefusedError, requestUrl } from "./identity.ts";
import type { Ota } from "./ota.ts";

/** The most bytes of one WebSocket message; stock firmware cannot send more. */
export const maxMessageBytes = 65_536;
const devicePaths = new Set(["/xiaozhi/v1", "/"]);

/** A device whose upgrade was let through. */
export interface Visitor extends Identity {
  readonly socket: WebSocket;
  readonly framing: FramingVersion | undefined;
  /** The device's address, by the word of a proxy on this machine where there is one. */
  readonly remote: string;
}

/** The HTTP side of the gateway: upgrades, OTA, numbers. */
export interface Door {
  readonly server: Server;
  close(): void;
}

/** Opens the door. */
export function openDoor(options: {
  readonly config: GatewayConfig;
  readonly auth: Auth;
  readonly ota: Ota;
  readonly counters: Counters;
  readonly stats: () => object;
  readonly admission: Admission;
  readonly enter: (visitor: Visitor) => void;
}): Door {
  const { config, auth, counters } = options;
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    clientTracking: false,
  });

  const describe = (error: unknown): { readonly name: Refusal; readonly message: string } => {
    if (error instanceof RefusedError) return { name: error.refusal, message: error.message };
    if (error instanceof ProtocolError) return { name: "bad-device-id", message: error.message };
    // What is left is a request that broke off while its body was read.
    return { name: "bad-request", message: refusals["bad-request"].meaning };
  };

  const refuse = (response: ServerResponse, error: unknown) => {
    const { name, message } = describe(error);
    count(counters.refusals, name);
    response.setHeader("content-type", "application/json");
    response.writeHead(refusals[name].status).end(`${JSON.stringify({ error: name, message })}\n`);
  };

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    try {
      const path = requestUrl(request).pathname;
      if (options.ota.owns(path)) await options.ota.answer(request, response, path);
      else if (path === "/ws/stats" && request.method === "GET") {
        response.setHeader("content-type", "application/json");
        response.end(`${JSON.stringify(options.stats())}\n`);
      } else
        throw new RefusedError(
          "not-found",
          "devices connect to /xiaozhi/v1/ and ask /xiaozhi/ota/ for their configuration",
        );
    } catch (error) {
      refuse(response, error);
    }
  };

  const admit = (request: IncomingMessage): Omit<Visitor, "socket"> => {
    const url = requestUrl(request);
    if (!devicePaths.has(url.pathname.replace(/(?<=.)\/$/, "")))
      throw new RefusedError("not-found", "devices connect to /xiaozhi/v1/");
    const identity = readIdentity(request, url);
    const framing = readFraming(request);
    checkOrigin(request, config);
    const verdict = auth.verify(identity);
    if (verdict !== "ok")
      throw new RefusedError(
        verdict,
        verdict === "unauthorized" ? "no token, or a wrong one" : "the token speaks for another device",
      );
    const address = addressOf(request);
    const busy = options.admission.refuse(address);
    if (busy) throw new RefusedError(busy, refusals[busy].meaning);
    const forwarded = isLoopback(address) ? request.headers["x-forwarded-for"] : undefined;
    const remote = (typeof forwarded === "string" && forwarded.split(",")[0]?.trim()) || address;
    return { ...identity, framing, remote: remote.slice(0, 64) };
  };

  const turnAway = (socket: Duplex, error: unknown) => {
    const { name, message } = describe(error);
    count(counters.refusals, name);
    const body = `${JSON.stringify({ error: name, message })}\n`;
    const { status } = refusals[name];
    socket.end(
      `HTTP/1.1 ${status} ${name}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  };
  // A WebSocket request without a proper key or version would else be answered by ws, and not be counted.
  sockets.on("wsClientError", (_error, socket) =>
    turnAway(socket, new RefusedError("bad-request", "the WebSocket request is not proper")),
  );

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const destroy = () => socket.destroy();
    socket.on("error", destroy);
    try {
      const visitor = admit(request);
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        // From here on ws listens; this listener would hold the whole request as long as the connection lives.
        socket.off("error", destroy);
        webSocket.once("close", options.admission.enter(addressOf(request)));
        options.enter({ ...visitor, socket: webSocket });
      });
    } catch (error) {
      turnAway(socket, error);
    }
  };

  const server = createServer(
    {
      requestTimeout: 10_000,
      headersTimeout: 10_000,
      // Node looks at the two times only now and then, by default every 30 s.
      connectionsCheckingInterval: 1000,
      maxHeaderSize: 8192,
      // Node would refuse a request without Host itself, and uncounted; nothing here relies on one.
      requireHostHeader: false,
    },
    (request, response) => {
      void handle(request, response);
    },
  );
  server.on("upgrade", upgrade);
  // Nor is what is expected looked at: node would answer 417.
  server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => void handle(request, response));
  server.on("clientError", (_error, socket) => {
    count(counters.refusals, "bad-request");
    socket.destroy();
  });
  return {
    server,
    close() {
      server.close();
      server.closeIdleConnections();
    },
  };
}

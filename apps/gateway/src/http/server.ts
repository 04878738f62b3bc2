import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { listen, type Log } from "@voxbus/service";
import type { GatewayConfig } from "../config.ts";
import { fixedLimits } from "../limits.ts";
import { count, type Counters } from "../observe/counters.ts";
import { requestUrl } from "./identity.ts";
import type { Ota } from "./ota.ts";
import { RefusedError, refuseRequest } from "./refusals.ts";

/** The parts that answer requests. */
export interface HttpHandlers {
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  readonly ota: Ota;
  /** Gives the numbers for `GET /ws/stats`. */
  readonly stats: () => object;
}

/** The gateway's HTTP server: upgrades, OTA, numbers. */
export interface HttpServer {
  readonly address: string;
  readonly port: number;
  /** Begins to answer. Earlier requests have waited. */
  serve(handlers: HttpHandlers): void;
  close(): void;
}

/** Starts to listen. Throws PortTakenError. */
export async function openServer(config: GatewayConfig, counters: Counters, log: Log): Promise<HttpServer> {
  let serve!: (handlers: HttpHandlers) => void;
  const serving = new Promise<HttpHandlers>((resolve) => (serve = resolve));

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    try {
      await route(request, response, await serving);
    } catch (error) {
      refuseRequest(response, counters, error);
    }
  };
  const server = createServer(
    {
      requestTimeout: fixedLimits.requestMs,
      headersTimeout: fixedLimits.requestMs,
      // Node checks these two only now and then, by default every 30 s.
      connectionsCheckingInterval: 1000,
      maxHeaderSize: fixedLimits.headerBytes,
      // Node would refuse a request without Host itself, uncounted. Nothing here relies on Host.
      requireHostHeader: false,
    },
    (request, response) => void answer(request, response),
  );
  // Node would answer 417 itself, uncounted. Nothing here relies on Expect.
  server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => void answer(request, response));
  server.on("upgrade", (request, socket, head) => {
    const destroy = () => socket.destroy();
    socket.on("error", destroy);
    void serving.then(({ upgrade }) => {
      socket.off("error", destroy);
      upgrade(request, socket, head);
    });
  });
  server.on("clientError", (err, socket) => {
    log.debug({ err }, "request invalid");
    count(counters.refusals, "bad-request");
    socket.destroy();
  });
  const address = await listen(server, {
    host: config.VOXBUS_GATEWAY_HOST,
    port: config.VOXBUS_GATEWAY_PORT,
    variable: "VOXBUS_GATEWAY_PORT",
  });
  return {
    address,
    port: Number(new URL(address).port),
    serve,
    close() {
      server.close();
      server.closeIdleConnections();
    },
  };
}

/** Answers one request. Throws RefusedError or ProtocolError. */
async function route(request: IncomingMessage, response: ServerResponse, { ota, stats }: HttpHandlers): Promise<void> {
  const path = requestUrl(request).pathname;
  if (ota.owns(path)) return ota.answer(request, response, path);
  if (path !== "/ws/stats" || request.method !== "GET")
    throw new RefusedError(
      "not-found",
      "devices connect to /xiaozhi/v1/ and ask /xiaozhi/ota/ for their configuration",
    );
  response.setHeader("content-type", "application/json");
  response.end(`${JSON.stringify(stats())}\n`);
}

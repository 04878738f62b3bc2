import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listen, serverTimes, type Log, type Proxies } from "@voxbus/subscriber";
import type { GatewayConfig } from "../config.ts";
import { fixedLimits, type Limits } from "../limits.ts";
import { requestUrl } from "./identity.ts";
import type { Ota } from "./ota.ts";
import { RefusedError, type Refuser } from "./refusals.ts";
import { isDevicePath, type Upgrade } from "./upgrade.ts";

/** The parts that answer requests. */
export interface HttpHandlers {
  readonly upgrade: Upgrade;
  readonly ota: Ota;
  /** Gives the numbers for `GET /ws/stats`. */
  readonly stats: () => object;
}

/** Dependencies of the server. */
interface ServerDeps {
  readonly refuser: Refuser;
  readonly proxies: Proxies;
  readonly limits: Pick<Limits, "connections" | "perAddress">;
  readonly log: Log;
}

/** The gateway's HTTP server: upgrades, OTA, numbers. */
export interface HttpServer {
  readonly address: string;
  readonly port: number;
  /** Begins to answer. Earlier requests have waited. */
  serve(handlers: HttpHandlers): void;
  close(): void;
}

/** Starts to listen. Throws ListenError. */
export async function openServer(
  config: GatewayConfig,
  { refuser, proxies, limits, log }: ServerDeps,
): Promise<HttpServer> {
  let serve!: (handlers: HttpHandlers) => void;
  const serving = new Promise<HttpHandlers>((resolve) => (serve = resolve));

  let told = false;
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    try {
      const isLost = request.headers["sec-websocket-version"] !== undefined;
      if (isLost && !told) {
        told = true;
        const { remoteAddress: remote } = request.socket;
        log.warn({ remote }, "upgrade header dropped by a proxy");
      }
      await route(request, response, await serving);
    } catch (error) {
      // A request that broke off is counted at `clientError`.
      if (request.errored === null || error instanceof RefusedError) refuser.request(response, error);
    }
  };
  const server = createServer(
    {
      ...serverTimes,
      requestTimeout: fixedLimits.requestMs,
      headersTimeout: fixedLimits.requestMs,
      maxHeaderSize: fixedLimits.headerBytes,
      // Node would refuse a request without Host itself, uncounted. Nothing here relies on Host.
      requireHostHeader: false,
    },
    (request, response) => void answer(request, response),
  );
  // Node would answer 417 itself, uncounted. Nothing here relies on Expect.
  server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => void answer(request, response));
  server.on("upgrade", (request, socket, head) => {
    const fail = (err: Error) => {
      log.debug({ err, remote: request.socket.remoteAddress }, "upgrade failed");
      socket.destroy();
    };
    socket.on("error", fail);
    // A WebSocket has listeners of its own. This one would keep the whole request in memory.
    void serving.then(({ upgrade }) => upgrade(request, socket, head, () => socket.off("error", fail)));
  });
  server.on("clientError", (err, socket) => {
    refuser.invalid(err);
    socket.destroy();
  });
  const address = await listen(server, {
    host: config.VOXBUS_GATEWAY_HOST,
    port: config.VOXBUS_GATEWAY_PORT,
    variable: "VOXBUS_GATEWAY_PORT",
    limits: {
      total: limits.connections + fixedLimits.otherConnections,
      perAddress: limits.perAddress + fixedLimits.otherPerAddress,
    },
    proxies,
    dropped: () => refuser.dropped(),
    log,
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
  if (isDevicePath(path)) {
    throw new RefusedError(
      "upgrade-required",
      "this is the WebSocket address of devices, and the request asks for no upgrade. A proxy in between must pass on " +
        "the headers Upgrade and Connection. The OTA address is /xiaozhi/ota/",
    );
  }
  if (path !== "/ws/stats" || request.method !== "GET")
    throw new RefusedError(
      "not-found",
      "devices connect to /xiaozhi/v1/ and ask /xiaozhi/ota/ for their configuration",
    );
  response.setHeader("content-type", "application/json");
  response.end(`${JSON.stringify(stats())}\n`);
}

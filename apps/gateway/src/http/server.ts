import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, Server as TlsServer } from "node:https";
import { listen, serverTimes, type Context, type Proxies } from "@voxbus/subscriber";
import type { gatewayConfig } from "../config.ts";
import type { Firmware } from "../firmware/firmware.ts";
import { fixedLimits, type Limits } from "../limits.ts";
import { createCertificateWatch, type CertificateWatch } from "./certificate.ts";
import { requestUrl } from "./identity.ts";
import type { Ota } from "./ota.ts";
import { RefusedError, type Refuser } from "./refusals.ts";
import type { Sounds } from "./sounds.ts";
import { isDevicePath, type Upgrade } from "./upgrade.ts";

/** The parts that answer requests. */
export interface HttpHandlers {
  readonly upgrade: Upgrade;
  readonly ota: Ota;
  readonly firmware: Firmware;
  readonly sounds: Sounds;
  /** Gives the numbers for `GET /ws/stats`. */
  readonly stats: () => object;
}

/** Dependencies of the server. */
interface ServerDeps {
  readonly refuser: Refuser;
  readonly proxies: Proxies;
  readonly limits: Pick<Limits, "connections" | "perAddress">;
}

/** The gateway's HTTP server: upgrades, OTA, numbers. */
export interface HttpServer {
  readonly address: string;
  readonly port: number;
  /** Begins to answer. Earlier requests have waited. */
  serve(handlers: HttpHandlers): void;
  close(): void;
}

/** Starts to listen, over TLS if there is a certificate. Throws ListenError or ConfigError. */
export async function openServer(
  context: Pick<Context<typeof gatewayConfig>, "config" | "log" | "meter">,
  { refuser, proxies, limits }: ServerDeps,
): Promise<HttpServer> {
  const { config, log } = context;
  const certificates = createCertificateWatch(context);
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
  const server = createHttpServer(certificates, (request, response) => void answer(request, response));
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
  const certificate = server instanceof TlsServer ? certificates.follow(server) : undefined;
  return {
    address,
    port: Number(new URL(address).port),
    serve,
    close() {
      certificate?.close();
      server.close();
      server.closeIdleConnections();
    },
  };
}

/** Creates the server, over TLS if there is a certificate. Throws ConfigError. */
function createHttpServer(certificates: CertificateWatch, answer: RequestListener): Server {
  const options = {
    ...serverTimes,
    requestTimeout: fixedLimits.requestMs,
    headersTimeout: fixedLimits.requestMs,
    maxHeaderSize: fixedLimits.headerBytes,
    // Node would refuse a request without Host itself, uncounted. Nothing here relies on Host.
    requireHostHeader: false,
  };
  const certificate = certificates.read();
  if (certificate === undefined) return createServer(options, answer);
  return createTlsServer({ ...options, ...certificate, handshakeTimeout: fixedLimits.requestMs }, answer);
}

/** Answers one request. Throws RefusedError or ProtocolError. */
async function route(request: IncomingMessage, response: ServerResponse, handlers: HttpHandlers): Promise<void> {
  const { ota, firmware, sounds, stats } = handlers;
  const url = requestUrl(request);
  const path = url.pathname;
  if (sounds.owns(path) && request.method === "GET") return sounds.answer(response, path);
  if (ota.owns(path)) return ota.answer(request, response, path);
  if (firmware.owns(path)) return firmware.answer(request, response, url);
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

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { refusals } from "@voxbus/protocol";
import type { Log } from "@voxbus/service";
import { WebSocketServer } from "ws";
import type { GatewayConfig } from "../config.ts";
import { fixedLimits } from "../limits.ts";
import type { Counters } from "../observe/counters.ts";
import type { Handshake } from "../session/session.ts";
import { isLoopback, type Auth } from "./auth.ts";
import { addressOf, type Capacity } from "./capacity.ts";
import { checkOrigin, readFraming, readIdentity, requestUrl } from "./identity.ts";
import { RefusedError, refuseUpgrade } from "./refusals.ts";

const devicePaths = new Set(["/xiaozhi/v1", "/"]);

/** Dependencies of upgrades. */
export interface UpgradeDeps {
  readonly config: GatewayConfig;
  readonly auth: Auth;
  readonly capacity: Capacity;
  readonly counters: Counters;
  readonly log: Log;
  /** Takes a device whose upgrade was accepted. */
  readonly enter: (handshake: Handshake) => void;
}

/** Makes WebSockets of the upgrades that are accepted, and refuses the others (docs/protocol.md, upgrade). */
export function createUpgrade(deps: UpgradeDeps): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  const { capacity, counters, log, enter } = deps;
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: fixedLimits.messageBytes,
    clientTracking: false,
  });
  // ws would answer a WebSocket request without a proper key or version itself, uncounted.
  sockets.on("wsClientError", (err, socket) => {
    log.debug({ err }, "upgrade invalid");
    refuseUpgrade(socket, counters, new RefusedError("bad-request", "the request is not a valid WebSocket upgrade"));
  });
  return (request, socket, head) => {
    const fail = (err: Error) => {
      log.debug({ err, remote: addressOf(request) }, "upgrade failed");
      socket.destroy();
    };
    socket.on("error", fail);
    try {
      const handshake = accept(request, deps);
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        // From here on ws listens. This listener would keep the whole request in memory.
        socket.off("error", fail);
        webSocket.once("close", capacity.enter(addressOf(request)));
        enter({ ...handshake, socket: webSocket });
      });
    } catch (error) {
      refuseUpgrade(socket, counters, error);
    }
  };
}

/** Checks an upgrade. Throws RefusedError or ProtocolError. */
function accept(request: IncomingMessage, { config, auth, capacity }: UpgradeDeps): Omit<Handshake, "socket"> {
  const url = requestUrl(request);
  if (!devicePaths.has(url.pathname.replace(/(?<=.)\/$/, "")))
    throw new RefusedError("not-found", "devices connect to /xiaozhi/v1/");
  const identity = readIdentity(request, url);
  const framing = readFraming(request);
  checkOrigin(request, config);
  const verdict = auth.verify(identity);
  if (verdict === "unauthorized") throw new RefusedError(verdict, "the token is missing or wrong");
  if (verdict === "forbidden") throw new RefusedError(verdict, "the token is bound to another device");
  const address = addressOf(request);
  const busy = capacity.refuse(address);
  if (busy) throw new RefusedError(busy, refusals[busy].meaning);
  const forwarded = isLoopback(address) ? request.headers["x-forwarded-for"] : undefined;
  const remote = (typeof forwarded === "string" && forwarded.split(",")[0]?.trim()) || address;
  return { device: identity.device, framing, remote: remote.slice(0, 64) };
}

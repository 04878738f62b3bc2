import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { refusals } from "@voxbus/protocol";
import { WebSocketServer } from "ws";
import type { GatewayConfig } from "../config.ts";
import { fixedLimits } from "../limits.ts";
import type { Handshake } from "../session/handshake.ts";
import { isLoopback, type Auth } from "./auth.ts";
import { addressOf, type Capacity } from "./capacity.ts";
import { checkOrigin, readFraming, readIdentity, requestUrl } from "./identity.ts";
import { RefusedError, type Refuser } from "./refusals.ts";

const devicePaths = new Set(["/xiaozhi/v1", "/"]);

/** Dependencies of upgrades. */
export interface UpgradeDeps {
  readonly config: GatewayConfig;
  readonly auth: Auth;
  readonly capacity: Capacity;
  readonly refuser: Refuser;
  /** Takes a device whose upgrade was accepted. */
  readonly enter: (handshake: Handshake) => void;
}

/** Handles an upgrade. Calls `accepted` when the socket has become a WebSocket. */
export type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer, accepted: () => void) => void;

/** Makes WebSockets of the upgrades that are accepted, and refuses the others (docs/protocol.md, upgrade). */
export function createUpgrade(deps: UpgradeDeps): Upgrade {
  const { capacity, refuser, enter } = deps;
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: fixedLimits.messageBytes,
    maxFragments: fixedLimits.messageParts,
    maxBufferedChunks: fixedLimits.messageChunks,
    clientTracking: false,
    // One event per turn of the event loop: a read with thousands of tiny frames must not hold up other devices.
    allowSynchronousEvents: false,
  });
  // ws would answer a WebSocket request without a proper key or version itself, uncounted.
  sockets.on("wsClientError", (cause, socket) => {
    const message = "the request is not a valid WebSocket upgrade";
    refuser.upgrade(socket, new RefusedError("bad-request", message, { cause }));
  });
  return (request, socket, head, accepted) => {
    try {
      const handshake = accept(request, deps);
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        accepted();
        webSocket.once("close", capacity.enter(addressOf(request)));
        enter({ ...handshake, socket: webSocket, stream: socket });
      });
    } catch (error) {
      refuser.upgrade(socket, error);
    }
  };
}

/** Checks an upgrade. Throws RefusedError or ProtocolError. */
function accept(
  request: IncomingMessage,
  { config, auth, capacity }: UpgradeDeps,
): Omit<Handshake, "socket" | "stream"> {
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

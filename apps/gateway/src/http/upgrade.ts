import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { refusals, type FramingVersion } from "@voxbus/protocol";
import type { Client, Guesses, Proxies } from "@voxbus/subscriber";
import { WebSocketServer } from "ws";
import type { GatewayConfig } from "../config.ts";
import { fixedLimits } from "../limits.ts";
import type { Handshake } from "../session/handshake.ts";
import { DeviceSocket } from "../websocket/device-socket.ts";
import { WebSocketTransport } from "../websocket/web-socket-transport.ts";
import type { Auth } from "./auth.ts";
import type { Capacity } from "./capacity.ts";
import { checkDevice } from "./check-token.ts";
import { checkOrigin, readFraming, readIdentity, requestUrl } from "./identity.ts";
import { RefusedError, type Refuser } from "./refusals.ts";

/** Tells whether devices open their WebSocket at a path. */
export function isDevicePath(path: string): boolean {
  return /^\/(xiaozhi\/v1\/?)?$/.test(path);
}

/** Dependencies of upgrades. */
export interface UpgradeDeps {
  readonly config: GatewayConfig;
  readonly auth: Auth;
  readonly proxies: Proxies;
  readonly guesses: Guesses;
  readonly capacity: Capacity;
  readonly refuser: Refuser;
  /** Takes a device whose upgrade was accepted. */
  readonly enter: (handshake: Handshake) => void;
}

/** Handles an upgrade. Calls `accepted` when the socket has become a WebSocket. */
export type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer, accepted: () => void) => void;

/** Makes WebSockets of the upgrades that are accepted, and refuses the others (docs/protocol.md, upgrade). */
export function createUpgrade(deps: UpgradeDeps): Upgrade {
  const { proxies, capacity, refuser, enter } = deps;
  const sockets = new WebSocketServer({
    noServer: true,
    WebSocket: DeviceSocket,
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
  const answer = async (...[request, socket, head, accepted]: Parameters<Upgrade>) => {
    try {
      const client = proxies.clientOf(request.socket.remoteAddress, request.headers["x-forwarded-for"]);
      const { device, framing } = await accept(request, client, deps);
      // Nothing may wait between these checks and the count.
      const busy = capacity.refuse(client.group);
      if (busy) throw new RefusedError(busy, refusals[busy].meaning);
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        accepted();
        webSocket.left = capacity.enter(client.group);
        const transport = new WebSocketTransport(webSocket, socket, framing);
        enter({ transport, device, remote: client.address });
      });
    } catch (error) {
      refuser.upgrade(socket, error);
    }
  };
  return (...upgrade) => void answer(...upgrade);
}

/** Checks an upgrade. Rejects with RefusedError, ProtocolError or BusAwayError. */
async function accept(
  request: IncomingMessage,
  client: Client,
  { config, auth, proxies, guesses }: UpgradeDeps,
): Promise<{ readonly device: string; readonly framing: FramingVersion | undefined }> {
  const url = requestUrl(request);
  if (!isDevicePath(url.pathname)) throw new RefusedError("not-found", "devices connect to /xiaozhi/v1/");
  const identity = readIdentity(request, url);
  const framing = readFraming(request);
  checkOrigin(request, { config, proxies });
  await checkDevice(identity, client, { auth, guesses });
  return { device: identity.device, framing };
}

import type { DeviceMessageType, ReceivedMessage } from "@voxbus/protocol";
import type { DeviceIdentity, GatewayEndpoint } from "./gateway-endpoint.ts";
import { TalkError } from "./talk-error.ts";

/** A JSON message for the gateway. */
export type OutgoingMessage = Readonly<Record<string, unknown>> & { readonly type: DeviceMessageType };

/** An open session with a gateway (docs/protocol.md). */
export interface DeviceSocket {
  /** Sends a message; does nothing once the session has ended. */
  send(message: OutgoingMessage): void;
  /** Sends one Opus packet. It is dropped if the network does not keep up. */
  sendAudio(packet: Uint8Array<ArrayBuffer>): void;
}

/** Listeners for the events of a session. */
export interface DeviceSocketListeners {
  onMessage(message: ReceivedMessage): void;
  onAudio(packet: Uint8Array<ArrayBuffer>): void;
  /** Called with the time from a ping to its pong, ms. */
  onRtt(ms: number): void;
  /** Called when the session ends. */
  onClose(code: number): void;
}

const openMs = 6000;
const pingMs = 5000;
const maxUnsentBytes = 64 * 1024;

const hello: OutgoingMessage = {
  type: "hello",
  version: 1,
  transport: "websocket",
  features: { mcp: true },
  audio_params: { format: "opus", sample_rate: 16_000, channels: 1, frame_duration: 60 },
};

// Browsers cannot set the headers of a WebSocket.
function buildUrl({ url, token }: GatewayEndpoint, { device, client }: DeviceIdentity): URL {
  const full = new URL(url);
  full.searchParams.set("device-id", device);
  full.searchParams.set("client-id", client);
  if (token) full.searchParams.set("authorization", `Bearer ${token}`);
  return full;
}

/**
 * Connects and says hello; resolves once the gateway has answered. Throws TalkError `refused` if the connection closes
 * before (a browser does not learn why an upgrade was refused), and `no-gateway` if no answer comes in time.
 */
export async function openDeviceSocket(
  endpoint: GatewayEndpoint,
  identity: DeviceIdentity,
  listeners: DeviceSocketListeners,
): Promise<DeviceSocket> {
  const socket = new WebSocket(buildUrl(endpoint, identity));
  socket.binaryType = "arraybuffer";
  let isOpen = false;
  let pingedAt = 0;
  let pings: ReturnType<typeof setInterval> | undefined;

  const send = (message: OutgoingMessage) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  };
  const ping = () => {
    pingedAt = performance.now();
    send({ type: "ping" });
  };

  await new Promise<void>((resolve, reject) => {
    const overdue = setTimeout(() => {
      socket.close(1000);
      reject(new TalkError("no-gateway"));
    }, openMs);
    socket.addEventListener("open", () => send(hello));
    socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data !== "string") return listeners.onAudio(new Uint8Array(data));
      const message = JSON.parse(data) as ReceivedMessage;
      if (message.type === "pong") listeners.onRtt(performance.now() - pingedAt);
      else if (message.type !== "hello") listeners.onMessage(message);
      else if (!isOpen) {
        isOpen = true;
        clearTimeout(overdue);
        pings = setInterval(ping, pingMs);
        ping();
        resolve();
      }
    });
    socket.addEventListener("close", ({ code }) => {
      clearTimeout(overdue);
      clearInterval(pings);
      if (!isOpen) reject(new TalkError("refused"));
      else listeners.onClose(code);
    });
  });

  return {
    send,
    sendAudio(packet) {
      if (socket.readyState !== WebSocket.OPEN || socket.bufferedAmount > maxUnsentBytes) return;
      socket.send(packet);
    },
  };
}

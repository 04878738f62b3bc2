import type { Door } from "./server-address.ts";
import { TroubleError } from "./trouble.ts";

/** A JSON message to or from the gateway. */
export type Message = Readonly<Record<string, unknown>> & { readonly type: string };

/** An open session with a gateway, as docs/protocol.md has it. */
export interface DeviceSocket {
  send(message: Message): void;
  /** One Opus packet; dropped when the network does not keep up. */
  sendAudio(packet: Uint8Array<ArrayBuffer>): void;
  /** True once a packet was sent: from then on `listen/detect` is a wake word and no typed text. */
  spoken(): boolean;
  close(): void;
}

/** What a session tells. */
export interface DeviceSocketEffects {
  message(message: Message): void;
  audio(packet: Uint8Array<ArrayBuffer>): void;
  /** ms from a ping to its pong. */
  rtt(ms: number): void;
  /** It ended, and not by `close`. */
  closed(code: number, reason: string): void;
}

const openMs = 6000;
const pingMs = 5000;
const maxUnsent = 64 * 1024;

/**
 * Connects and says hello; resolves when the gateway has answered it. Throws TroubleError `refused` when it does not: a
 * page is not told why an upgrade was refused.
 */
export async function openDeviceSocket(
  door: Door,
  device: string,
  effects: DeviceSocketEffects,
): Promise<DeviceSocket> {
  const url = new URL(door.url);
  url.searchParams.set("device-id", device);
  url.searchParams.set("client-id", device);
  if (door.token) url.searchParams.set("authorization", `Bearer ${door.token}`);
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  let welcomed = false;
  let leaving = false;
  let spoken = false;
  let pingedAt = 0;
  let pings: ReturnType<typeof setInterval> | undefined;

  const send = (message: Message) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  };
  const ping = () => {
    pingedAt = performance.now();
    send({ type: "ping" });
  };

  await new Promise<void>((resolve, reject) => {
    const overdue = setTimeout(() => {
      leaving = true;
      socket.close();
      reject(new TroubleError("no-gateway"));
    }, openMs);
    socket.addEventListener("open", () =>
      send({
        type: "hello",
        version: 1,
        transport: "websocket",
        features: { mcp: true },
        audio_params: { format: "opus", sample_rate: 16_000, channels: 1, frame_duration: 60 },
      }),
    );
    socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data !== "string") return effects.audio(new Uint8Array(data));
      const message = JSON.parse(data) as Message;
      if (message.type === "pong") effects.rtt(performance.now() - pingedAt);
      else if (message.type !== "hello") effects.message(message);
      else if (!welcomed) {
        welcomed = true;
        clearTimeout(overdue);
        pings = setInterval(ping, pingMs);
        ping();
        resolve();
      }
    });
    socket.addEventListener("close", ({ code, reason }) => {
      clearTimeout(overdue);
      clearInterval(pings);
      if (!welcomed) reject(new TroubleError("refused"));
      else if (!leaving) effects.closed(code, reason);
    });
  });

  return {
    send,
    sendAudio(packet) {
      if (socket.readyState !== WebSocket.OPEN || socket.bufferedAmount > maxUnsent) return;
      socket.send(packet);
      spoken = true;
    },
    spoken: () => spoken,
    close() {
      leaving = true;
      clearInterval(pings);
      socket.close(1000);
    },
  };
}

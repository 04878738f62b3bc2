import { randomUUID } from "node:crypto";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import type { World } from "./world.ts";

const hello = '{"type":"hello","version":1,"features":{},"transport":"websocket"}';

/** Connects a device that says hello and nothing else. Rejects when it is refused. */
export function openGuest(url: string, id = `guest-${randomUUID()}`): Promise<WebSocket> {
  const socket = new WebSocket(url, {
    headers: { "Device-Id": id, "Client-Id": randomUUID(), "Protocol-Version": "1" },
    perMessageDeflate: false,
  });
  return new Promise((resolve, reject) => {
    socket.on("open", () => socket.send(hello));
    socket.once("message", () => resolve(socket));
    socket.on("error", reject);
    socket.on("close", (code) => reject(new Error(`closed with ${code}`)));
  });
}

/** Devices that are connected, say nothing, and come back when they are sent away. */
export interface Idle {
  readonly closes: readonly { readonly at: number; readonly code: number }[];
  close(): void;
}

/** Connects silent devices to all gateways alike. */
export async function openIdle(world: World, count: number): Promise<Idle> {
  const closes: { at: number; code: number }[] = [];
  const sockets = new Set<WebSocket>();
  let closing = false;
  const keep = async (i: number, tries: number): Promise<void> => {
    const url = world.urls[(i + tries) % world.urls.length]!;
    try {
      const socket = await openGuest(url, `idle-${i}-${world.nats[0]!.pid}`);
      if (closing) return socket.terminate();
      sockets.add(socket);
      socket.on("close", (code) => {
        sockets.delete(socket);
        if (closing) return;
        closes.push({ at: performance.now(), code });
        void keep(i, tries + 1);
      });
    } catch {
      // Refused, as by a gateway that drains: the other one, a moment later.
      if (closing) return;
      await sleep(100 + Math.random() * 200);
      await keep(i, tries + 1);
    }
  };
  await Promise.all(Array.from({ length: count }, (_, i) => keep(i, 0)));
  return {
    closes,
    close() {
      closing = true;
      for (const socket of sockets) socket.terminate();
    },
  };
}

/** Opens a TCP connection to a gateway and writes `text` one byte at a time; resolves with how long it was borne, ms. */
export async function dripBytes(url: string, text: string, intervalMs: number, atMostMs: number): Promise<number> {
  const { hostname, port } = new URL(url);
  const socket: Socket = connect(Number(port), hostname);
  socket.on("error", () => socket.destroy());
  socket.resume();
  const began = performance.now();
  for (let i = 0; !socket.destroyed && performance.now() - began < atMostMs; i += 1) {
    socket.write(text[i % text.length]!);
    await sleep(intervalMs);
  }
  socket.destroy();
  return performance.now() - began;
}

/** Writes the beginning of a long binary message of a connected device, one byte at a time. */
export async function dripFrame(guest: WebSocket, intervalMs: number, count: number): Promise<void> {
  const { _socket: tcp } = guest as unknown as { readonly _socket: Socket };
  // Final, binary, masked, 16,384 bytes long.
  const header = [0x82, 0xfe, 0x40, 0x00];
  for (let i = 0; i < count; i += 1) {
    tcp.write(Uint8Array.of(header[i] ?? 0));
    await sleep(intervalMs);
  }
}

import { randomUUID } from "node:crypto";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { openTestDevice, type TestDevice } from "@voxbus/testing";
import { openConnection, type Connection } from "./connection.ts";
import type { Entrance } from "./device.ts";

/** The hello of a device without tools. */
export const plainHello = { type: "hello", version: 1, features: {}, transport: "websocket" };

/** Connects a device that says hello and nothing else. Rejects if it is refused. */
export function openGuest(url: string, id = `guest-${randomUUID()}`): Promise<TestDevice> {
  return openTestDevice(url, {
    id,
    headers: { "Client-Id": randomUUID(), "Protocol-Version": "1" },
    hello: plainHello,
  });
}

/** Silent devices that reconnect when they are closed. */
export interface Idle {
  readonly closes: readonly { readonly at: number; readonly code: number }[];
  close(): void;
}

/** Connects silent devices, spread over all gateways. Over MQTT they say no hello, as stock firmware that is idle. */
export async function openIdle(entrance: Entrance, count: number): Promise<Idle> {
  const name = randomUUID();
  const closes: { at: number; code: number }[] = [];
  const guests = new Set<Connection>();
  let closing = false;
  const keep = async (i: number, tries: number): Promise<void> => {
    const url = entrance.urls[(i + tries) % entrance.urls.length]!;
    const hello = url.startsWith("mqtt:") ? false : plainHello;
    try {
      const guest = await openConnection(url, { id: `idle-${i}-${name}`, hello });
      if (closing) return guest.vanish();
      guests.add(guest);
      void guest.closed.then(({ code }) => {
        guests.delete(guest);
        if (closing) return undefined;
        closes.push({ at: performance.now(), code });
        return keep(i, tries + 1);
      });
    } catch {
      // Refused, for example by a draining gateway: try the other one a moment later.
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
      for (const guest of guests) guest.vanish();
    },
  };
}

/** Writes `text` to a gateway one byte at a time. Resolves with the time until the gateway closes the connection, ms. */
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

/** Writes the beginning of a long binary message one byte at a time. */
export async function dripFrame(guest: TestDevice, intervalMs: number, count: number): Promise<void> {
  // Final, binary, masked, 16,384 bytes long.
  const header = [0x82, 0xfe, 0x40, 0x00];
  for (let i = 0; i < count; i += 1) {
    guest.writeRaw(Uint8Array.of(header[i] ?? 0));
    await sleep(intervalMs);
  }
}

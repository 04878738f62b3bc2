import { randomUUID } from "node:crypto";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { platform } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { openTestDevice, type TestDevice } from "@voxbus/testing";
import { plainHello } from "../faults/guests.ts";
import type { Scene } from "./attack.ts";

const tickMs = 20;
const mostUnsent = 1_048_576;

/** The attacker's own address, where this machine has more than one: what counts by address must not hit the bystanders. */
const attacker = platform() === "linux" ? { localAddress: "127.0.0.66" } : {};

/** Calls `act` at a rate while the attack lasts, as exactly as a busy machine allows. Stops when `act` returns false. */
export async function repeat(scene: Scene, perSecond: number, act: (index: number) => void | false): Promise<void> {
  const began = performance.now();
  for (let done = 0; !scene.isOver;) {
    const due = ((performance.now() - began) / 1000) * perSecond;
    // A machine that falls behind does not catch up in one burst.
    for (let burst = 0; done < due && burst < perSecond / 10 + 1; burst += 1) if (act(done++) === false) return;
    await sleep(tickMs);
  }
}

/** Runs `work` again and again while the attack lasts, `atOnce` at a time, at most `count` times. */
export async function crowd(
  scene: Scene,
  { atOnce, count = Infinity }: { readonly atOnce: number; readonly count?: number },
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const one = async () => {
    while (!scene.isOver && next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, one));
}

/** Opens a TCP connection that is never closed by us. Resolves when it is open, or undefined if it is refused. */
export function openSocket(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    // Half-open: the peer's end does not end ours.
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, ...attacker });
    socket.on("error", () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once("connect", () => resolve(socket));
    socket.resume();
  });
}

/** The device that an attacker plays. Its close code is noted. Resolves with undefined if it was refused. */
export async function enter(
  scene: Scene,
  options: { readonly id?: string; readonly framing?: 1 | 2 | 3; readonly hello?: object | false; readonly token?: string } = {}, // prettier-ignore
): Promise<TestDevice | undefined> {
  const { id = `attacker-${randomUUID()}`, framing = 1, hello = plainHello, token } = options;
  try {
    const device = await openTestDevice(scene.url, {
      id,
      headers: { "Protocol-Version": String(framing), ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) },
      hello,
      ...attacker,
      onReceived: () => undefined,
      timeoutMs: 15_000,
    }); // prettier-ignore
    void device.closed.then(({ code }) => code === 1006 || scene.note(`closed ${code}`));
    return device;
  } catch (error) {
    scene.note(error instanceof Error && error.message.startsWith("HTTP") ? error.message : "not connected");
    return undefined;
  }
}

/** Connects devices and keeps that many connected while the attack lasts: a closed one comes back. */
export async function besiege(
  scene: Scene,
  count: number,
  play: (device: TestDevice, index: number) => Promise<void>,
  options: Parameters<typeof enter>[1] = {},
): Promise<void> {
  const one = async (index: number) => {
    while (!scene.isOver) {
      const device = await enter(scene, options);
      if (device) await play(device, index);
      device?.vanish();
      await sleep(100);
    }
  };
  await Promise.all(Array.from({ length: count }, (_, index) => one(index)));
}

/** Sends `bytes` over a device's TCP connection at a rate, while it is open and the attack lasts. Counts what was sent. */
export function pour(scene: Scene, device: TestDevice, perSecond: number, bytes: Uint8Array): Promise<void> {
  return repeat(scene, perSecond, () => {
    if (!device.open) return false;
    // A gateway that reads no further holds the attacker up, too.
    if (device.unsent > mostUnsent) return undefined;
    device.writeRaw(bytes);
    scene.note("writes");
    return undefined;
  });
}

/** Makes an HTTP request with any headers, Host included. Resolves with the status, or 0 without an answer. */
export function ask(
  url: string,
  options: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
    /** The address that asks; the attacker's by default. */
    readonly from?: string;
  } = {},
): Promise<{ readonly status: number; readonly body: string }> {
  const { method = "GET", headers = {}, body, from } = options;
  const address = from === undefined ? attacker : { localAddress: from };
  return new Promise((resolve) => {
    const nothing = () => resolve({ status: 0, body: "" });
    const asking = request(url, { method, headers, agent: false, timeout: 5000, ...address }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
      response.once("error", nothing);
    });
    asking.once("timeout", () => asking.destroy());
    asking.once("error", nothing);
    asking.end(body);
  });
}

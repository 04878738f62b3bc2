import type { Bus } from "@voxbus/bus";
import { createRegistry } from "@voxbus/presence";
import { buckets, channels, stored, type Outbound } from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import { connectTestBus, encodeSpeech, loadSpeech, silence, startNatsServer } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { buildIntercom, intercom } from "./intercom.ts";

let nats: Awaited<ReturnType<typeof startNatsServer>>;
let bus: Bus;
let registries: readonly Awaited<ReturnType<typeof createRegistry>>[];
let program: Running;
let seq = 0;
const said: string[] = [];
const out: [device: string, frame: Outbound][] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  bus.subscribe(stored(channels.sayOpen("*")), ({ text }, { device }) => void said.push(`${device}: ${text}`));
  bus.subscribe(channels.out("*"), (frame, { device }) => void out.push([device, frame]));
  for (const device of ["kitchen", "hall"])
    await bus.bucket(buckets.profiles).put(device, { engines: { llm: "none" } });
  // Each device is on a gateway of its own.
  registries = await Promise.all(
    ["g1", "g2"].map((id) =>
      createRegistry(bus, { id, address: "ws://x", load: () => ({ connections: 1, speaking: 0 }) }),
    ),
  );
});
beforeEach(async () => {
  for (const [index, device] of ["kitchen", "hall"].entries()) await enter(index, device);
  program = await startSubscriber(intercom, buildIntercom, { VOXBUS_NATS_URL: nats.url, VOXBUS_LOG_LEVEL: "fatal" });
  said.splice(0);
  out.splice(0);
});
afterEach(async () => {
  await program.stop("quick");
});
afterAll(async () => {
  for (const registry of registries ?? []) await registry.close();
  await bus?.close();
  await nats?.stop();
});

async function enter(gateway: number, device: string) {
  const presence = { session: `s-${device}`, since: 1, remote: "x", protocol: 1, features: {}, state: "idle" } as const;
  await registries[gateway]!.enter(device, presence, new AbortController().signal);
}
const type = (device: string, body: string) =>
  bus.store(channels.inText(device), { session: `s-${device}`, seq: (seq += 1), at: 1, kind: "text", body });
const abort = (device: string) =>
  bus.store(channels.inControl(device), {
    session: `s-${device}`,
    seq: (seq += 1),
    at: 1,
    kind: "control",
    body: { type: "abort" },
  });
const speak = (device: string, packets: readonly Uint8Array[]) => {
  for (const body of packets)
    bus.publish(channels.inAudio(device), { session: `s-${device}`, seq: (seq += 1), at: 1, kind: "audio", body });
};
const awaitSaid = (text: string) => vi.waitFor(() => expect(said).toContain(text), { timeout: 5000 });

async function connect() {
  await type("kitchen", "call hall");
  await awaitSaid("kitchen: I am calling hall.");
  await awaitSaid("hall: kitchen is calling. Do you want to talk?");
  await type("hall", "yes");
  await vi.waitFor(() => expect(out.filter(([, { body }]) => isAlert(body)).map(([device]) => device)).toHaveLength(2));
}
const isAlert = (body: unknown) => (body as { readonly type?: string }).type === "alert";
/** Lists what a device got: the states of `tts`, and its packets. */
const heardBy = (device: string) =>
  out.flatMap(([to, { kind, body }]): readonly (string | Buffer)[] => {
    if (to !== device) return [];
    if (kind === "audio") return [Buffer.from(body)];
    return kind === "text" && body.type === "tts" ? [body.state] : [];
  });

const words = encodeSpeech(loadSpeech("time"));
const pause = encodeSpeech(silence(1200));

test("intercom: after the callee's yes, each hears what the other says, and nothing of the silence around it", async () => {
  speak("kitchen", words);
  await connect();
  expect(heardBy("hall")).toEqual([]);
  out.splice(0);
  speak("kitchen", [...pause, ...words, ...pause]);
  await vi.waitFor(() => expect(heardBy("hall").at(-1)).toBe("stop"), { timeout: 10_000 });
  const [start, ...packets] = heardBy("hall").slice(0, -1);
  expect(start).toBe("start");
  const voiced = words.map((packet) => Buffer.from(packet));
  const from = packets.findIndex((packet) => voiced[6]!.equals(packet as Buffer));
  expect(from).toBeGreaterThanOrEqual(0);
  expect(packets.slice(from, from + 8)).toEqual(voiced.slice(6, 14));
  expect(packets.length).toBeLessThan(words.length + 20);
  expect(heardBy("kitchen")).toEqual([]);
  speak("hall", [...words, ...pause]);
  await vi.waitFor(() => expect(heardBy("kitchen").at(-1)).toBe("stop"), { timeout: 10_000 });
});

test("intercom: the button hangs up, and nothing is carried any more", async () => {
  await connect();
  await abort("hall");
  await awaitSaid("kitchen: hall has hung up.");
  out.splice(0);
  speak("kitchen", words);
  await type("kitchen", "hello");
  await awaitSaid("kitchen: Say call, and the name of a device.");
  expect(heardBy("hall")).toEqual([]);
});

test("intercom: a device that goes offline ends the call", async () => {
  await connect();
  await registries[1]!.leave("hall");
  await awaitSaid("kitchen: hall is no longer connected.");
});

test("intercom: devices whose turns dialogue answers are left alone, and cannot be called", async () => {
  await enter(0, "office");
  await type("office", "call hall");
  await type("kitchen", "call office");
  await awaitSaid("kitchen: office is not connected.");
  expect(said.filter((text) => text.startsWith("office"))).toEqual([]);
});

import type { Bus } from "@voxbus/bus";
import { buckets, channels } from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildDialogue, dialogue } from "./app.ts";

let nats: NatsServer;
let bus: Bus;
const programs: Running[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  for (const shadow of [undefined, "next"]) {
    const env = { VOXBUS_NATS_URL: nats.url, VOXBUS_DIALOGUE_OPS_PORT: "0", VOXBUS_LOG_LEVEL: "fatal" };
    programs.push(await startSubscriber(dialogue, buildDialogue, { ...env, VOXBUS_SHADOW: shadow }));
  }
});
afterAll(async () => {
  for (const program of programs) await program.stop("quick");
  await bus?.close();
  await nats?.stop();
});

const devices = Array.from({ length: 20 }, (_, n) => `d${n}`);

test("shadow: beside it, the real dialogue learns of every interrupted answer, and asks every new device for its tools", async () => {
  const asked = new Set<string>();
  const following = bus.subscribe(channels.out("*"), (_, { device }) => void asked.add(device));
  await bus.flush();
  const place = { gateway: "g", protocol: 1, sampleRate: 16_000, frameDuration: 60 } as const;
  const body = { type: "opened", features: { mcp: true }, ...place } as const;
  const turn = { origin: 9, complete: false, sentence: 0, fenced: 1, dropped: 0, late: 0 };
  for (const device of devices) {
    const session = `session-of-${device}`;
    bus.publish(channels.event(device), { session, at: 1, gateway: "g", turn });
    await bus.store(channels.inControl(device), { session, seq: 1, at: 1, kind: "control", body });
  }
  const readHeard = async (device: string) =>
    (await bus.bucket(buckets.dialogues).get(device))?.value?.turns.map(({ heard }) => heard);
  await expect.poll(() => Promise.all(devices.map(readHeard)), { timeout: 20_000 }).toEqual(devices.map(() => [1]));
  await expect.poll(() => [...asked].toSorted(), { timeout: 20_000 }).toEqual(devices.toSorted());
  following.close();
}, 60_000);

import { setTimeout as sleep } from "node:timers/promises";
import { openAudio } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { readStats, watchEvents } from "../test-gateways.ts";
import { openMqttStage, packet, type MqttStage } from "./test-mqtt.ts";

/** Seconds between signs of life, as the device announces them. */
const keepalive = 4;
const keepaliveMs = keepalive * 1000;
/** The gateway decides late rather than early, ms. */
const latest = 1000;

let stage: MqttStage;

beforeAll(async () => {
  stage = await openMqttStage();
});
afterEach(() => stage.leaveAll());
afterAll(() => stage.stop());

/** Times at which a device's presence changed, from `since` on: its state, or `gone`. */
function watchStates(id: string, since: number): Map<string, number> {
  const times = new Map<string, number>();
  stage.view.watch((device, presence) => {
    const state = presence?.state ?? "gone";
    if (device === id && !times.has(state)) times.set(state, performance.now() - since);
  });
  return times;
}

it.each(["idle", "in a conversation"])(
  "a device that goes silent, %s, with its connections open, is gone after 1.5 times its keepalive, and may come back",
  async (when) => {
    const id = `silent-${when.replaceAll(" ", "-")}`;
    const device = await stage.online(id, { keepalive });
    const events = await watchEvents(stage.bus, id);
    const { session } = stage.view.online(id)!;
    const audio = when === "idle" ? undefined : await openAudio(device);
    if (audio) {
      device.send({ type: "listen", state: "start", mode: "auto" });
      audio.send(packet);
      await expect.poll(() => stage.view.online(id)).toMatchObject({ state: "active", audio: "open" });
    } else {
      device.sendPacket({ type: "pingreq" });
      await expect.poll(() => device.packets.some(({ type }) => type === "pingresp")).toBe(true);
    }
    const times = watchStates(id, performance.now());
    const before = await readStats(stage.one);
    // It takes no notice of its end: neither of the gateway's goodbye nor of the end of TCP.
    device.pause();

    const closed = await events.until((all) => all.find(({ state }) => state === "closed"));
    expect(closed).toMatchObject({ session, reason: "heartbeat_timeout" });
    await expect.poll(() => times.get("gone")).toBeDefined();
    for (const [state, due] of [
      ["suspicious", keepaliveMs],
      ["gone", 1.5 * keepaliveMs],
    ] as const) {
      expect(times.get(state), state).toBeGreaterThan(due - latest);
      expect(times.get(state), state).toBeLessThan(due + latest);
    }
    const after = await readStats(stage.one);
    expect(after.connections).toBe(before.connections - 1);
    expect(after.closes["heartbeat_timeout"]).toBe((before.closes["heartbeat_timeout"] ?? 0) + 1);
    // What its microphone still sends belongs to no channel any more.
    if (audio) {
      const unknown = await stage.drops("udp-unknown");
      audio.send(packet);
      await expect.poll(() => stage.drops("udp-unknown")).toBe(unknown + 1);
      audio.close();
    }

    const again = await stage.online(id, { keepalive });
    expect(stage.view.online(id)).toMatchObject({ state: "idle", audio: "closed" });
    expect(stage.view.online(id)?.session).not.toBe(session);
    const next = await openAudio(again);
    await expect.poll(() => stage.view.online(id)).toMatchObject({ state: "active", audio: "open" });
    next.close();
  },
  25_000,
);

it("a device that only sends PINGREQ stays, and is idle", async () => {
  const device = await stage.online("pinging", { keepalive });
  const times = watchStates("pinging", performance.now());
  const until = performance.now() + 2 * keepaliveMs;
  for (; performance.now() < until; await sleep(keepaliveMs / 2)) device.sendPacket({ type: "pingreq" });
  expect(stage.view.online("pinging")?.state).toBe("idle");
  expect([...times.keys()]).toEqual(["idle"]);
});

import { setTimeout as sleep } from "node:timers/promises";
import { buckets, type Inbound } from "@voxbus/protocol";
import { openAudio, type TestAudio } from "@voxbus/testing";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { isTts, readStats, watchEvents, watchInbound } from "../test-gateways.ts";
import { announce, openMqttStage, packet, type MqttStage } from "./test-mqtt.ts";

/** The time after which the gateway ends a conversation whose device cannot be sent sound, ms. */
const slowMs = 7000;
/** A time in which a device would be told, ms. */
const enoughMs = 4500;

let stage: MqttStage;
const warn = vi.fn();

beforeAll(async () => {
  stage = await openMqttStage({ VOXBUS_SLOW_MS: String(slowMs) });
  vi.spyOn(stage.one.log, "warn").mockImplementation(warn);
});
afterAll(() => stage.stop());

type Message = Readonly<Record<string, unknown>>;
const isAlert = ({ type }: Message) => type === "alert";
const isAboutSound = ({ status }: Message) => status === "No sound";
const listen = { type: "listen", state: "start", mode: "auto" };
const warningsOf = (id: string) => warn.mock.calls.filter(([fields]) => (fields as Message)["device"] === id);

const countWarnings = () => warn.mock.calls.filter(([, message]) => message === "audio missing").length;

/** The warning about a conversation of a device. */
function warning(device: string, { session, hello }: TestAudio): unknown[] {
  const { server, port } = hello["udp"] as Message;
  return [{ device, session, address: `${String(server)}:${String(port)}` }, "audio missing"];
}

// No device sends a datagram here, as behind a firewall that lets TCP pass, unless the test says so.
describe.concurrent("a device whose sound does not arrive", () => {
  it("is told when it listens, once per conversation, and so are the log and the metric", async () => {
    await stage.bus.bucket(buckets.profiles).put("blocked-1", { language: "de-DE" });
    const device = await stage.online("blocked-1");
    const first = await openAudio(device);
    device.send(listen);
    const message = expect.stringContaining("Ton kommt nicht an") as string;
    expect(await device.next(isAlert)).toMatchObject({ status: "No sound", message });
    // Other devices may be told meanwhile.
    const before = countWarnings();
    const { missingAudio } = await readStats(stage.one);
    expect(missingAudio).toBeGreaterThanOrEqual(Math.max(1, before));
    expect(missingAudio).toBeLessThanOrEqual(countWarnings());
    const second = await openAudio(device);
    device.send(listen);
    await device.next(isAlert);
    expect(warningsOf("blocked-1")).toEqual([first, second].map((audio) => warning("blocked-1", audio)));
    for (const audio of [first, second]) audio.close();
  }, 15_000);

  it("is told when it only types, before its conversation ends, and its turn has an outcome", async () => {
    const device = await stage.online("blocked-2");
    const events = await watchEvents(stage.bus, "blocked-2");
    const inbound = await watchInbound(stage.bus, "blocked-2");
    const audio = await openAudio(device);
    device.send({ type: "listen", state: "detect", text: "tell me a joke" });
    const { seq: origin, session } = await inbound.until((all) => all.find(({ kind }) => kind === "text"));
    const reply = `${session}:${origin}`;
    stage.publish(
      "blocked-2",
      announce(reply, "A joke.").map((frame) => ({ ...frame, origin, session })),
    );
    await device.next(({ type }) => type === "goodbye");
    const told = device.received.map(({ type, status }) => status ?? type);
    expect(told.filter((word) => word === "No sound")).toHaveLength(1);
    expect(told.indexOf("No sound")).toBeLessThan(told.indexOf("goodbye"));
    expect(device.received.some(isTts("start"))).toBe(false);
    const turn = await events.until((all) => all.find(({ turn }) => turn)?.turn);
    expect(turn).toMatchObject({ origin, complete: false });
    expect(warningsOf("blocked-2")).toEqual([warning("blocked-2", audio)]);
    audio.close();
  }, 15_000);

  it("is told when its button is pressed again and again, each time for too short", async () => {
    const device = await stage.online("blocked-3");
    const audio = await openAudio(device);
    const inbound = await watchInbound(stage.bus, "blocked-3");
    const told = device.next(isAboutSound).then(() => true);
    for (let press = 0; ; press += 1) {
      device.send({ ...listen, mode: "manual" });
      if (await Promise.race([told, sleep(2500, false)])) break;
      device.send({ type: "listen", state: "stop" });
      const isStop = ({ kind, body }: Inbound) => kind === "control" && body.type === "stop";
      const { seq, session } = await inbound.until((all) => all.filter(isStop)[press]);
      // Nothing was heard.
      const body = { type: "user-speaking" as const, seq, on: false };
      stage.publish("blocked-3", [{ kind: "control", session, body }]);
      await sleep(1100);
    }
    audio.close();
  }, 15_000);
});

describe.concurrent("a device that is not told", () => {
  it("has sent one datagram, even if it was long after it began to listen", async () => {
    const device = await stage.online("heard-1");
    const audio = await openAudio(device);
    device.send(listen);
    await sleep(1000);
    audio.send(packet);
    await sleep(enoughMs);
    expect(device.received.filter(isAlert)).toEqual([]);
    expect(warningsOf("heard-1")).toEqual([]);
    audio.close();
  }, 15_000);

  it("has an open conversation in which nothing is said", async () => {
    const device = await stage.online("silent-1");
    const audio = await openAudio(device);
    await sleep(enoughMs);
    expect(device.received.filter(isAlert)).toEqual([]);
    audio.close();
  }, 15_000);

  it("uses a WebSocket, whether or not it sends sound", async () => {
    const device = await stage.connect(stage.one, { id: "socket-1" });
    device.send(listen);
    device.send({ type: "listen", state: "detect", text: "tell me a joke" });
    await sleep(enoughMs);
    expect(device.received.filter((one) => "json" in one && isAboutSound(one.json))).toEqual([]);
    expect(warningsOf("socket-1")).toEqual([]);
  }, 15_000);
});

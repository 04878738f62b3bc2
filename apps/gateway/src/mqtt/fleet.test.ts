import { buckets, channels, type Outbound } from "@voxbus/protocol";
import { openAudio, type MqttDevice, type TestAudio, type TestDevice } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { isTts, watchEvents } from "../test-gateways.ts";
import { announce, openMqttStage, packet, type MqttStage } from "./test-mqtt.ts";

let stage: MqttStage;

beforeAll(async () => {
  stage = await openMqttStage();
});
afterEach(() => stage.leaveAll());
afterAll(() => stage.stop());

type Message = Readonly<Record<string, unknown>>;
type Listener = { readonly id: string; readonly device: MqttDevice; readonly audio: TestAudio };

/** The devices of a test. All of them are online. */
interface Fleet {
  /** MQTT devices that are idle. The last one fetches sounds. */
  readonly idle: readonly { readonly id: string; readonly device: MqttDevice }[];
  /** MQTT devices in a conversation. */
  readonly talking: readonly Listener[];
  readonly sockets: readonly { readonly id: string; readonly device: TestDevice }[];
  publish(frames: readonly Outbound[]): void;
}

async function openFleet(name: string): Promise<Fleet> {
  const idsOf = (kind: string, count = 2) => Array.from({ length: count }, (_, at) => `${name}-${kind}-${at}`);
  const idle = idsOf("idle", 3);
  await stage.bus.bucket(buckets.profiles).put(idle.at(-1)!, { notify: true });
  return {
    idle: await Promise.all(idle.map(async (id) => ({ id, device: await stage.online(id) }))),
    talking: await Promise.all(
      idsOf("talking").map(async (id) => {
        const device = await stage.online(id);
        const audio = await openAudio(device);
        audio.send(packet);
        await expect.poll(() => stage.view.online(id)?.audio).toBe("open");
        return { id, device, audio };
      }),
    ),
    sockets: await Promise.all(
      idsOf("socket").map(async (id) => ({ id, device: await stage.connect(stage.one, { id }) })),
    ),
    publish(frames) {
      for (const frame of frames) stage.bus.publish(channels.fleetOut(), frame);
    },
  };
}

const messagesOf = ({ received }: TestDevice) => received.flatMap((one) => ("json" in one ? [one.json] : []));
/** The messages of a device, without its hello and without what only asks for a receipt. */
const shownTo = (messages: readonly Message[]) =>
  messages
    .filter(({ type }) => type !== "hello" && type !== "mcp")
    .map(({ type, state }) => [type, state].join(" ").trim());
const spoken = ["tts start", "tts sentence_start", "tts sentence_start", "tts stop"];

describe("all devices of the fleet, some idle over MQTT, some in a conversation, some on a WebSocket", () => {
  it("get an announcement once: it is shown to those that are idle, and spoken by all others", async () => {
    const { idle, talking, sockets, publish } = await openFleet("say");
    const all = [...idle, ...talking, ...sockets];
    const events = await Promise.all(all.map(({ id }) => watchEvents(stage.bus, id)));
    const frames = announce("everyone", "Dinner is ready.", "Come down.");
    // Frames that come twice, as from a worker that took over, are told once.
    publish([...frames, ...frames]);
    const turns = await Promise.all(
      events.map((watch) => watch.until((list) => list.find(({ turn }) => turn?.reply === "everyone")?.turn)),
    );
    await Promise.all(sockets.map(({ device }) => device.next(isTts("stop"))));
    await Promise.all(talking.map(({ device }) => device.next(isTts("stop"))));
    publish(frames);
    // What comes after it shows that nothing came again.
    const last = { type: "alert" as const, status: "last", message: "Last.", emotion: "neutral" };
    publish([{ kind: "text", reply: "last", body: last }]);
    await Promise.all(all.map(({ device }) => device.next(({ status }) => status === "last")));

    for (const [at, { device }] of idle.entries()) {
      const asked = at === idle.length - 1 ? ["alert", "notify", "alert"] : ["alert", "alert"];
      expect(shownTo(device.received)).toEqual(asked);
      expect(device.received.find(({ type }) => type === "alert")).toMatchObject({
        message: "Dinner is ready. Come down.",
      });
      expect(turns[at]).toMatchObject({ complete: false, reason: "no-channel" });
    }
    for (const { device, audio } of talking) {
      expect(shownTo(device.received)).toEqual([...spoken, "alert"]);
      expect(audio.received.map((one) => one.packet)).toEqual([packet, packet]);
      audio.close();
    }
    for (const { device } of sockets) {
      expect(shownTo(messagesOf(device))).toEqual([...spoken, "alert"]);
      expect(device.received.filter((one) => "binary" in one)).toHaveLength(2);
    }
    for (const turn of turns.slice(idle.length)) expect(turn).toMatchObject({ complete: true });
    for (const watch of events) expect(watch.all.filter(({ turn }) => turn)).toHaveLength(1);
  });

  it("get a message once, and only those that are idle give a receipt of it", async () => {
    const { idle, talking, sockets, publish } = await openFleet("text");
    const all = [...idle, ...talking, ...sockets];
    const events = await Promise.all(all.map(({ id }) => watchEvents(stage.bus, id)));
    for (const status of ["first", "second"]) {
      const body = { type: "alert" as const, status, message: "Hello.", emotion: "happy" };
      publish([{ kind: "text", reply: `m-${status}`, body }]);
      await Promise.all(all.map(({ device }) => device.next((message) => message["status"] === status)));
    }
    const receipts = (at: number) => events[at]!.all.flatMap(({ receipt }) => (receipt ? [receipt] : []));
    for (const at of idle.keys()) {
      await events[at]!.until(() => receipts(at)[1]);
      expect(receipts(at)).toEqual(["m-first", "m-second"].map((reply) => ({ reply, result: "delivered" })));
    }
    for (const { device } of [...idle, ...talking]) expect(shownTo(device.received)).toEqual(["alert", "alert"]);
    for (const { device } of sockets) expect(shownTo(messagesOf(device))).toEqual(["alert", "alert"]);
    for (const at of all.keys()) if (at >= idle.length) expect(receipts(at)).toEqual([]);
    for (const { audio } of talking) audio.close();
  });
});

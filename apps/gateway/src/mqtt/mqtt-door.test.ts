import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { buckets, channels, encodeMqtt } from "@voxbus/protocol";
import { makeCertificate, openAudio } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { untilAway, watchEvents } from "../test-gateways.ts";
import { announce, mqttVariables, openMqttStage, portOf, type MqttStage } from "./test-mqtt.ts";

let stage: MqttStage;

beforeAll(async () => {
  stage = await openMqttStage({ VOXBUS_HELLO_TIMEOUT_MS: "400", VOXBUS_FLOOD_MS: "1500" });
});
afterEach(() => stage.leaveAll());
afterAll(() => stage.stop());

describe("the door", () => {
  it("refuses an illegal id, a foreign token and none, each with its code", async () => {
    const tokens = "guarded=0123456789abcdef,other=fedcba9876543210";
    const two = await stage.start({
      VOXBUS_GATEWAY_ID: "two",
      VOXBUS_AUTH: "token",
      VOXBUS_AUTH_TOKENS: tokens,
      ...mqttVariables,
    });
    const code = async (id: string, token?: string) =>
      (await stage.openMqtt(id, token === undefined ? {} : { token }, two)).code;
    expect(await code("guarded", "0123456789abcdef")).toBe(0);
    expect(await code("guarded", "fedcba9876543210")).toBe(5);
    expect(await code("guarded")).toBe(4);
    expect(await code("a.b", "0123456789abcdef")).toBe(2);
    expect(await code("group@@@aa_bb_cc_dd_ee_ff@@@uuid", "0123456789abcdef")).toBe(5);
  });

  it("refuses a device that an operator has disabled, and closes it if it is there", async () => {
    const device = await stage.online("banned-1");
    await stage.bus.bucket(buckets.registry).put("banned-1", { allowed: false, since: 1 });
    await device.closed;
    expect((await stage.openMqtt("banned-1")).code).toBe(5);
  });

  it("lets the newest connection of a device win, of either transport", async () => {
    const older = await stage.online("twice");
    const first = stage.view.online("twice")?.session;
    const newer = await stage.openMqtt("twice");
    await older.closed;
    await expect.poll(() => stage.view.online("twice")?.session).not.toBe(first);
    const socket = await stage.connect(stage.one, { id: "twice" });
    await newer.closed;
    await expect.poll(() => stage.view.online("twice")).toMatchObject({ session: socket.session });
    await stage.openMqtt("twice");
    expect(await socket.closed).toMatchObject({ code: 4001 });
    await expect.poll(() => stage.view.online("twice")?.audio).toBe("closed");
  });

  it.each([
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    ["a CONNECT of 200 MB", Buffer.from("108084af5f", "hex")],
    ["another packet than CONNECT", encodeMqtt({ type: "pingreq" })],
    ["silence", Buffer.alloc(0)],
  ])("drops %s", async (_what, bytes) => {
    const socket = connect(portOf(stage.one), "127.0.0.1").on("error", () => undefined);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write(bytes);
    await closed;
  });

  it.each([
    [
      "a second CONNECT",
      encodeMqtt({ type: "connect", known: true, client: "x", username: "", password: "", keepalive: 0 }),
    ],
    ["QoS 2", Buffer.from("340500016100017b", "hex")],
    ["a message of 20 kB", encodeMqtt({ type: "publish", topic: "t", id: undefined, payload: Buffer.alloc(20_000) })],
  ])("closes a device for %s", async (_what, bytes) => {
    const device = await stage.openMqtt("bad-1");
    device.writeRaw(bytes);
    await device.closed;
  });

  it("answers SUBSCRIBE, UNSUBSCRIBE, PINGREQ and a PUBLISH of QoS 1, as older firmware needs", async () => {
    const device = await stage.openMqtt("older-1");
    device.sendPacket({ type: "subscribe", id: 5, topics: 2 });
    device.sendPacket({ type: "unsubscribe", id: 6 });
    device.sendPacket({ type: "pingreq" });
    device.sendPacket({ type: "publish", topic: "t", id: 7, payload: Buffer.from('{"type":"ping"}') });
    await device.next(({ type }) => type === "pong");
    expect(device.packets.slice(1)).toEqual([
      { type: "suback", id: 5, topics: 2 },
      { type: "unsuback", id: 6 },
      { type: "pingresp" },
      { type: "puback", id: 7 },
    ]);
  });

  it("reads a flood at the pace of the budgets, and closes a device that goes on", async () => {
    const device = await stage.openMqtt("flood-1");
    const other = await stage.openMqtt("flood-2");
    const message = encodeMqtt({ type: "publish", topic: "t", id: undefined, payload: Buffer.from('{"type":"ping"}') });
    device.writeRaw(Buffer.concat(Array.from({ length: 2000 }, () => message)));
    other.send({ type: "ping" });
    await other.next(({ type }) => type === "pong");
    expect(device.received.length).toBeLessThan(200);
    await device.closed;
  });

  it("names itself in the address of a sound, where VOXBUS_PUBLIC_URL has a place for the gateway's name", async () => {
    const env = { VOXBUS_GATEWAY_ID: "named", VOXBUS_PUBLIC_URL: "wss://{gateway}.example/voice/xiaozhi/v1/" };
    const named = await stage.start({ ...mqttVariables, ...env });
    await stage.bus.bucket(buckets.profiles).put("idle-6", { notify: true });
    const device = await stage.openMqtt("idle-6", {}, named);
    await expect.poll(() => stage.view.online("idle-6")).toBeDefined();
    stage.publish("idle-6", announce("a7", "Dinner is ready."));
    const { audio_url: url } = await device.next(({ type }) => type === "notify");
    expect(url).toMatch(/^https:\/\/named\.example\/voice\/xiaozhi\/notify\//);
  });

  it("takes a device that is silent for 1.5 times its keepalive as gone, and a PINGREQ as a sign of life", async () => {
    const silent = await stage.online("silent-1", { keepalive: 1 });
    const lively = await stage.online("silent-2", { keepalive: 1 });
    const events = await watchEvents(stage.bus, "silent-2");
    const pinging = setInterval(() => lively.sendPacket({ type: "pingreq" }), 300);
    await silent.closed;
    await expect.poll(() => stage.view.online("silent-1")).toBeUndefined();
    clearInterval(pinging);
    expect(stage.view.online("silent-2")?.state).toBe("idle");
    expect(events.all).toEqual([]);
  });

  it("lets no more devices talk than VOXBUS_MAX_CONNECTIONS, and tells the others that it is busy", async () => {
    const five = await stage.start({ VOXBUS_GATEWAY_ID: "five", VOXBUS_MAX_CONNECTIONS: "1", ...mqttVariables });
    const first = await stage.openMqtt("crowd-1", {}, five);
    const second = await stage.openMqtt("crowd-2", {}, five);
    const audio = await openAudio(first);
    second.send({ type: "hello", version: 3, transport: "udp" });
    expect(await second.next(({ type }) => type === "hello" || type === "alert")).toMatchObject({ type: "alert" });
    first.send({ type: "goodbye" });
    await expect.poll(() => stage.view.online("crowd-1")?.audio).toBe("closed");
    audio.close();
    const again = await openAudio(second);
    again.close();
  });

  it("says goodbye to idle devices before it closes them, when it drains", async () => {
    const three = await stage.start({ VOXBUS_GATEWAY_ID: "three", ...mqttVariables });
    const device = await stage.openMqtt("leaving", {}, three);
    await expect.poll(() => stage.view.online("leaving")).toBeDefined();
    void three.stop("drain");
    await device.next(({ type }) => type === "goodbye");
    await device.closed;
  });

  it("is offered by OTA to the devices whose profile asks for it, and to no other", async () => {
    await stage.bus.bucket(buckets.profiles).put("sleeper", { transport: "mqtt" });
    const ask = async (id: string, of = stage.one) => {
      const answer = await fetch(of.addresses["ota"] ?? "", { headers: { "Device-Id": id, "Client-Id": "c1" } });
      return (await answer.json()) as Readonly<Record<string, unknown>>;
    };
    await expect
      .poll(async () => (await ask("sleeper"))["mqtt"])
      .toEqual({
        endpoint: `127.0.0.1:${portOf(stage.one)}`,
        client_id: "sleeper",
        username: "c1",
        password: "",
        publish_topic: "voxbus/up",
        subscribe_topic: "voxbus/down",
        keepalive: 240,
      });
    expect(await ask("other")).not.toHaveProperty("mqtt");
    const six = await stage.start({ VOXBUS_GATEWAY_ID: "six", VOXBUS_MQTT_ENDPOINT: "mqtt.example:8883" });
    await expect.poll(() => ask("sleeper", six)).toMatchObject({ mqtt: { endpoint: "mqtt.example:8883" } });
    expect(await ask("other", six)).not.toHaveProperty("mqtt");
  });

  it("closes a device that does not read, and no other", async () => {
    const device = await stage.online("slow-1");
    const other = await stage.online("slow-2");
    device.pause();
    const body = { type: "custom" as const, payload: { text: "x".repeat(7000) } };
    while (stage.view.online("slow-1") !== undefined) {
      stage.bus.publish(channels.out("slow-1"), { kind: "text", body });
      await stage.bus.flush();
    }
    other.send({ type: "ping" });
    await other.next(({ type }) => type === "pong");
  });

  it("speaks TLS with a certificate of its own", async () => {
    const folder = await mkdtemp(join(tmpdir(), "voxbus-mqtt-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { cert, key } = makeCertificate(folder, "mqtt");
    const four = await stage.start({
      VOXBUS_GATEWAY_ID: "four",
      ...mqttVariables,
      VOXBUS_MQTT_TLS_CERT: cert,
      VOXBUS_MQTT_TLS_KEY: key,
    });
    const socket = connectTls({ port: portOf(four), rejectUnauthorized: false });
    const packet = { type: "connect", known: true, client: "tls-1", username: "", password: "", keepalive: 0 } as const;
    socket.write(encodeMqtt(packet));
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer).toEqual(Buffer.from(encodeMqtt({ type: "connack", code: 0 })));
    socket.destroy();
  });

  it("refuses devices while NATS is away, and takes them when it is back", async () => {
    stage.nats.kill("SIGKILL");
    await untilAway(stage.one);
    await expect.poll(async () => (await stage.openMqtt("patient")).code).toBe(3);
    await stage.nats.restart();
    await expect.poll(async () => (await stage.openMqtt("patient")).code, { timeout: 20_000 }).toBe(0);
  }, 30_000);
});

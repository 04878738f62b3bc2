import { createSocket } from "node:dgram";
import { buckets, channels } from "@voxbus/protocol";
import { openAudio } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { isTts, untilControl, watchEvents, watchInbound } from "../test-gateways.ts";
import { announce, openMqttStage, packet, type MqttStage } from "./test-mqtt.ts";

let stage: MqttStage;

beforeAll(async () => {
  stage = await openMqttStage();
});
afterEach(() => stage.leaveAll());
afterAll(() => stage.stop());

describe("a conversation", () => {
  it("cannot be begun without a hello: what a device that was led astray says is dropped", async () => {
    const device = await stage.online("talk-0");
    const inbound = await watchInbound(stage.bus, "talk-0");
    const before = await stage.drops("no-channel");
    device.send({ session_id: "", type: "listen", state: "start", mode: "auto" });
    device.send({ type: "ping" });
    await device.next(({ type }) => type === "pong");
    expect(await stage.drops("no-channel")).toBe(before + 1);
    expect(inbound.all).toEqual([]);
  });

  it("is ended by the gateway with a goodbye, and its turns end with it", async () => {
    const device = await stage.online("talk-7");
    const audio = await openAudio(device);
    device.send({ type: "listen", state: "start", mode: "auto" });
    audio.send(packet);
    const events = await watchEvents(stage.bus, "talk-7");
    const inbound = await watchInbound(stage.bus, "talk-7");
    stage.publish("talk-7", announce("a7", ..."One two three four five six seven".split(" ")).slice(0, -1));
    await audio.until(1);
    stage.publish("talk-7", announce("a9", "This one waits."));
    stage.bus.publish(channels.out("talk-7"), { kind: "text", body: { type: "goodbye" } });
    expect(await device.next(({ type }) => type === "alert")).toMatchObject({ message: "This one waits." });
    await device.next(isTts("stop"));
    await device.next(({ type }) => type === "goodbye");
    expect((await events.until((all) => all.find(({ turn }) => turn?.reply === "a7")))?.turn).toMatchObject({
      reply: "a7",
      reason: "fenced",
    });
    await expect.poll(() => stage.view.online("talk-7")).toMatchObject({ state: "idle", audio: "closed" });
    const aborts = inbound.all.filter(({ kind, body }) => kind === "control" && body.type === "abort");
    expect(aborts).toHaveLength(1);
    const told = device.received.length;
    stage.publish("talk-7", announce("a7", "Late."));
    stage.publish("talk-7", announce("a8", "Later."));
    expect(await device.next(({ type }) => type === "alert")).toMatchObject({
      message: expect.stringContaining("Later") as string,
    });
    expect(device.received.slice(told).filter(({ type }) => type === "tts")).toEqual([]);
    audio.close();
  });

  it("is not ended by the farewell of the one before, which a second hello replaced", async () => {
    await stage.bus.bucket(buckets.profiles).put("talk-8", { silenceMs: 1000, farewell: "Goodbye." });
    const asked = new Promise<string>((resolve) =>
      stage.bus.subscribe(channels.sayOpen("talk-8"), ({ reply }) => resolve(reply)),
    );
    const device = await stage.online("talk-8");
    const first = await openAudio(device);
    device.send({ type: "listen", state: "start", mode: "auto" });
    first.send(packet);
    const farewell = await asked;
    await stage.bus.bucket(buckets.profiles).put("talk-8", { silenceMs: 0 });
    stage.publish("talk-8", announce(farewell, "Goodbye.", "Until then."));
    await first.until(1);
    const second = await openAudio(device);
    stage.publish("talk-8", announce(farewell, "Goodbye.", "Until then."));
    second.send(packet);
    stage.publish("talk-8", announce("a10", "Still here."));
    await second.until(1);
    expect(device.received.filter(({ type }) => type === "goodbye")).toEqual([]);
    expect(stage.view.online("talk-8")?.audio).toBe("open");
    first.close();
    second.close();
  });

  it("is opened by hello, closed by goodbye and opened again, in one session", async () => {
    const device = await stage.online("talk-1");
    const { session = "" } = stage.view.online("talk-1") ?? {};
    const inbound = await watchInbound(stage.bus, "talk-1");
    const first = await openAudio(device);
    expect(first.hello).toMatchObject({
      transport: "udp",
      version: 3,
      session_id: session,
      audio_params: { sample_rate: 24_000, frame_duration: 60 },
      udp: {
        server: "127.0.0.1",
        encryption: "aes-128-ctr",
        nonce: expect.stringMatching(/^01[0-9a-f]{2}0000[0-9a-f]{8}0{16}$/) as string,
      },
    });
    await expect.poll(() => stage.view.online("talk-1")).toMatchObject({ state: "active", audio: "open" });
    device.send({ type: "listen", state: "start", mode: "auto" });
    first.send(packet);
    const heard = await inbound.until((all) => all.find(({ kind }) => kind === "audio"));
    expect(Buffer.from(heard.body as Uint8Array)).toEqual(packet);
    stage.publish("talk-1", announce("a3", "Here I am."));
    await device.next(isTts("start"));
    await first.until(1);
    expect(first.received[0]?.packet).toEqual(packet);
    device.send({ session_id: session, type: "abort" });
    await device.next(isTts("stop"));
    device.send({ session_id: session, type: "goodbye" });
    await expect.poll(() => stage.view.online("talk-1")).toMatchObject({ state: "idle", audio: "closed" });
    const second = await openAudio(device);
    expect(second.session).toBe(session);
    expect(second.hello["udp"]).not.toEqual(first.hello["udp"]);
    first.close();
    second.close();
  });

  it("is replaced by a second hello: the old key is void", async () => {
    const device = await stage.online("talk-2");
    const inbound = await watchInbound(stage.bus, "talk-2");
    const first = await openAudio(device);
    const second = await openAudio(device);
    const before = await stage.drops("udp-unknown");
    first.send(packet);
    await expect.poll(() => stage.drops("udp-unknown")).toBe(before + 1);
    second.send(packet);
    await inbound.until((all) => all.find(({ kind }) => kind === "audio"));
    first.close();
    second.close();
  });

  it("takes nothing that is spoofed, sent again or far ahead, and goes on with the device's next packet", async () => {
    const device = await stage.online("talk-3");
    const inbound = await watchInbound(stage.bus, "talk-3");
    const audio = await openAudio(device);
    const first = audio.encrypt(packet);
    audio.sendRaw(first);
    const bad: readonly (readonly [string, Buffer])[] = [
      ["udp-replay", first],
      ["udp-jump", audio.encrypt(packet, 0xffff_ffff)],
      ["udp-unknown", patch(audio.encrypt(packet, 5), 1)],
      ["udp-unknown", patch(audio.encrypt(packet, 5), 5)],
      ["udp-malformed", patch(audio.encrypt(packet, 5), 0)],
      ["udp-malformed", patch(audio.encrypt(packet, 5), 3)],
      ["udp-malformed", Buffer.alloc(16, 1)],
      ["udp-malformed", Buffer.alloc(60_000, 1)],
    ];
    for (const [reason, datagram] of bad) {
      const before = await stage.drops(reason);
      audio.sendRaw(datagram);
      await expect.poll(() => stage.drops(reason)).toBe(before + 1);
    }
    audio.send(packet);
    await inbound.until((all) => all.filter(({ kind }) => kind === "audio")[1]);
    expect(inbound.all.filter(({ kind }) => kind === "audio")).toHaveLength(2);
    audio.close();
  });

  it("follows its device to a new port with the third packet in a row", async () => {
    const device = await stage.online("talk-4");
    const inbound = await watchInbound(stage.bus, "talk-4");
    const audio = await openAudio(device);
    audio.send(packet);
    await inbound.until((all) => all.find(({ kind }) => kind === "audio"));
    const stranger = createSocket("udp4");
    const { port, server } = audio.hello["udp"] as { readonly port: number; readonly server: string };
    const before = await stage.drops("udp-foreign");
    // Two packets that alternate with the device's own move nothing.
    for (const seq of [10, 12]) {
      stranger.send(audio.encrypt(packet, seq), port, server);
      await expect.poll(() => stage.drops("udp-foreign")).toBe(before + (seq - 8) / 2);
      audio.send(packet, seq + 1);
      await inbound.until((all) => all.filter(({ kind }) => kind === "audio")[(seq - 8) / 2]);
    }
    stranger.close();
    await audio.move();
    for (const seq of [20, 21, 22]) audio.send(packet, seq);
    await inbound.until((all) => all.filter(({ kind }) => kind === "audio")[3]);
    expect(await stage.drops("udp-foreign")).toBe(before + 4);
    stage.publish("talk-4", announce("a4", "You moved."));
    await audio.until(1);
    audio.close();
  });

  it("holds `listen` `stop` until the last audio has arrived", async () => {
    const device = await stage.online("talk-5");
    const inbound = await watchInbound(stage.bus, "talk-5");
    const audio = await openAudio(device);
    device.send({ type: "listen", state: "start", mode: "manual" });
    audio.send(packet);
    await inbound.until((all) => all.find(({ kind }) => kind === "audio"));
    device.send({ type: "listen", state: "stop" });
    audio.send(packet);
    const stop = await untilControl(inbound, "stop");
    const last = inbound.all.findLast(({ kind }) => kind === "audio");
    expect(inbound.all.filter(({ kind }) => kind === "audio")).toHaveLength(2);
    expect(stop.seq).toBeGreaterThan(last?.seq ?? Infinity);
    audio.close();
  });

  it("tells a device to speak once it has sent a datagram: before, sound would reach it nowhere", async () => {
    const device = await stage.online("talk-8");
    const audio = await openAudio(device);
    stage.publish("talk-8", announce("a10", "Early."));
    const alert = { type: "alert" as const, status: "", message: "Now.", emotion: "neutral" };
    stage.bus.publish(channels.out("talk-8"), { kind: "text", body: alert });
    await device.next(({ type }) => type === "alert");
    expect(device.received.filter(({ type }) => type === "tts")).toEqual([]);
    audio.send(packet);
    await audio.until(1);
    await device.next(isTts("stop"));
    audio.close();
  });

  it("sends no two datagrams whose key streams overlap", async () => {
    const device = await stage.online("talk-6");
    const audio = await openAudio(device);
    audio.send(packet);
    stage.publish("talk-6", announce("a5", ..."One two three four five six seven".split(" ")));
    await audio.until(7);
    const heads = audio.received.map(({ datagram }) => datagram.subarray(0, 12).toString("hex"));
    expect(new Set(heads).size).toBe(7);
    audio.close();
  });
});

/** Changes one byte of a datagram. */
function patch(datagram: Buffer, at: number): Buffer {
  datagram[at] = (datagram[at] ?? 0) ^ 0x5a;
  return datagram;
}

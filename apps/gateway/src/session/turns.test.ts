import type { Bus } from "@voxbus/bus";
import { channels, type OutText } from "@voxbus/protocol";
import type { Running } from "@voxbus/subscriber";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  isTts,
  openTestGateways,
  untilControl,
  watchEvents,
  watchInbound,
  type TestGateways,
} from "../test-gateways.ts";

let gateways: TestGateways;
let bus: Bus;
let one: Running;

beforeAll(async () => {
  gateways = await openTestGateways();
  ({ bus } = gateways);
  one = await gateways.start({ VOXBUS_GATEWAY_ID: "one", VOXBUS_HELLO_TIMEOUT_MS: "400" });
});
afterEach(() => gateways.leaveAll());
afterAll(() => gateways.stop());

describe("turns of a session", () => {
  it("typed text: is echoed, the device speaks, and the paced reply is reported when it was played", async () => {
    const inbound = await watchInbound(bus, "typist");
    const events = await watchEvents(bus, "typist");
    const device = await gateways.connect(one, { id: "typist" });
    device.send({ type: "listen", state: "detect", text: "what time is it" });
    expect(await device.next(({ type }) => type === "stt")).toMatchObject({ text: "what time is it" });
    await device.next(isTts("start"));
    const text = await inbound.until((all) => all.find(({ kind }) => kind === "text"));
    const name = { session: text.session, origin: text.seq, reply: "r", attempt: 1, sentence: 0 };
    const say = (body: OutText, n: number) => bus.publish(channels.out("typist"), { ...name, n, kind: "text", body });
    say({ type: "llm", emotion: "happy" }, 0);
    say({ type: "tts", state: "sentence_start", text: "It is noon." }, 1);
    for (let n = 2; n < 8; n += 1) {
      bus.publish(channels.out("typist"), {
        ...name,
        n,
        kind: "audio",
        duration: 60,
        body: new Uint8Array([n]),
        ...(n === 7 ? { end: "reply" } : {}),
      });
    }
    await device.next(isTts("stop"));
    const kinds = device.received
      .slice(1)
      .map((item) =>
        "binary" in item ? "audio" : item.json["type"] === "tts" ? item.json["state"] : item.json["type"],
      );
    expect(kinds).toEqual(["stt", "start", "llm", "sentence_start", ...Array<string>(6).fill("audio"), "stop"]);
    expect(await events.until((all) => all.find(({ turn }) => turn)?.turn)).toMatchObject({
      origin: text.seq,
      played: [0, 7],
      complete: true,
    });
    expect(await untilControl(inbound, "fence")).toMatchObject({ body: { fence: text.seq } });
  });

  it("abort: is answered by tts/stop and not one frame of the turn follows", async () => {
    const inbound = await watchInbound(bus, "aborter");
    const device = await gateways.connect(one, { id: "aborter" });
    device.send({ type: "listen", state: "detect", text: "tell me a story" });
    const text = await inbound.until((all) => all.find(({ kind }) => kind === "text"));
    const name = { session: text.session, origin: text.seq, reply: "r", attempt: 1, sentence: 0 };
    const audio = (n: number) =>
      bus.publish(channels.out("aborter"), { ...name, n, kind: "audio", duration: 60, body: new Uint8Array([n]) });
    for (let n = 0; n < 20; n += 1) audio(n);
    await device.binary();
    device.send({ type: "abort", reason: "wake_word_detected" });
    await device.next(isTts("stop"));
    const after = device.received.length;
    for (let n = 20; n < 40; n += 1) audio(n);
    bus.publish(channels.out("aborter"), {
      kind: "text",
      body: { type: "alert", status: "a", message: "b", emotion: "neutral" },
    });
    await device.next(({ type }) => type === "alert");
    expect(device.received.length).toBe(after + 1);
    expect(await untilControl(inbound, "abort")).toMatchObject({ body: { reason: "wake_word_detected" } });
  });

  it("close: the session ends once the reply of its turn was played to its end, and stays if the user cuts it off", async () => {
    const inbound = await watchInbound(bus, "over");
    const device = await gateways.connect(one, { id: "over" });
    const answer = async (text: string, end?: "reply") => {
      device.send({ type: "listen", state: "detect", text });
      await device.next(isTts("start"));
      const asked = await inbound.until((all) => all.find(({ kind, body }) => kind === "text" && body === text));
      const origin = asked.seq;
      bus.publish(channels.out("over"), { kind: "control", origin, body: { type: "close" } });
      const frame = { reply: text, attempt: 1, sentence: 0, n: 0, kind: "audio", duration: 60 } as const;
      bus.publish(channels.out("over"), { ...frame, origin, body: new Uint8Array([1]), ...(end && { end }) });
      await device.binary();
    };
    await answer("goodbye for now");
    device.send({ type: "abort" });
    await device.next(isTts("stop"));
    await answer("goodbye for good", "reply");
    await device.next(isTts("stop"));
    expect(await device.closed).toMatchObject({ code: 1000, reason: "done" });
  });
});

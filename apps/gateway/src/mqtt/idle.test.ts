import { buckets, channels } from "@voxbus/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { untilControl, watchEvents, watchInbound } from "../test-gateways.ts";
import { announce, openMqttStage, packet, type MqttStage } from "./test-mqtt.ts";

let stage: MqttStage;

beforeAll(async () => {
  stage = await openMqttStage();
});
afterEach(() => stage.leaveAll());
afterAll(() => stage.stop());

describe("a device that is idle", () => {
  it("is online with its audio closed, before any hello", async () => {
    const device = await stage.online("idle-1");
    expect(device.code).toBe(0);
    expect(stage.view.online("idle-1")).toMatchObject({ state: "idle", audio: "closed", features: { mcp: true } });
  });

  it("gets alerts, tool calls and commands, and its answer is the receipt of an alert", async () => {
    const device = await stage.online("idle-2");
    const events = await watchEvents(stage.bus, "idle-2");
    const inbound = await watchInbound(stage.bus, "idle-2");
    const alert = { type: "alert" as const, status: "Door", message: "Somebody rings.", emotion: "neutral" };
    stage.bus.publish(channels.out("idle-2"), { kind: "text", reply: "r1", body: alert });
    expect(await device.next(({ type }) => type === "alert")).toMatchObject(alert);
    const receipt = await events.until((all) => all.find(({ receipt }) => receipt)?.receipt);
    expect(receipt).toEqual({ reply: "r1", result: "delivered" });
    expect(inbound.all).toEqual([]);
    const call = '{"jsonrpc":"2.0","id":7,"method":"tools/list"}';
    stage.bus.publish(channels.out("idle-2"), { kind: "text", body: { type: "mcp", payload: call } });
    expect((await untilControl(inbound, "mcp")).body).toMatchObject({
      payload: expect.stringContaining('"id":7') as string,
    });
    const reboot = { type: "system" as const, command: "reboot" as const };
    stage.bus.publish(channels.out("idle-2"), { kind: "text", reply: "r9", body: reboot });
    expect(await device.next(({ type }) => type === "system")).toMatchObject({ command: "reboot" });
    // A device that restarts answers nothing that comes after the command.
    expect(device.received.at(-2)).toMatchObject({ type: "mcp", payload: { method: "ping" } });
    await events.until((all) => all.find(({ receipt }) => receipt?.reply === "r9" && receipt.result === "delivered"));
  });

  it("gives no receipt of what it was not sent", async () => {
    const device = await stage.online("idle-6");
    const events = await watchEvents(stage.bus, "idle-6");
    const stt = { type: "stt" as const, text: "hello" };
    stage.bus.publish(channels.out("idle-6"), { kind: "text", reply: "s1", body: stt });
    const alert = { type: "alert" as const, status: "", message: "Hello.", emotion: "neutral" };
    stage.bus.publish(channels.out("idle-6"), { kind: "text", reply: "r3", body: alert });
    const receipt = await events.until((all) => all.find(({ receipt }) => receipt)?.receipt);
    expect(receipt).toEqual({ reply: "r3", result: "delivered" });
    expect(device.received.filter(({ type }) => type === "mcp")).toHaveLength(1);
  });

  it("is shown an announcement as one alert, and is never told to speak", async () => {
    const device = await stage.online("idle-3");
    const events = await watchEvents(stage.bus, "idle-3");
    stage.publish("idle-3", announce("a1", "Dinner is ready.", "Come down."));
    expect(await device.next(({ type }) => type === "alert")).toMatchObject({ message: "Dinner is ready. Come down." });
    const turn = await events.until((all) => all.find(({ turn }) => turn)?.turn);
    expect(turn).toMatchObject({ reply: "a1", complete: false, reason: "no-channel", sentence: 1 });
    stage.publish("idle-3", announce("a1", "Dinner is ready.", "Come down."));
    stage.publish("idle-3", announce("a2", "Now."));
    expect(await device.next(({ type }) => type === "alert")).toMatchObject({ message: "Now." });
    expect(device.received.filter(({ type }) => type === "tts")).toEqual([]);
  });

  it("is told where to fetch the sound of an announcement, if its profile says that it can", async () => {
    await stage.bus.bucket(buckets.profiles).put("idle-5", { notify: true });
    const device = await stage.online("idle-5");
    stage.publish("idle-5", announce("a6", "Dinner is ready."));
    await device.next(({ type }) => type === "alert");
    const { audio_url: url } = await device.next(({ type }) => type === "notify");
    const answer = await fetch(String(url), { redirect: "error" });
    expect(answer.headers.get("content-type")).toBe("audio/ogg");
    expect(Buffer.from(await answer.arrayBuffer()).includes(packet)).toBe(true);
    expect((await fetch(new URL("guess.ogg", String(url)))).status).toBe(404);
  });

  it("is suspicious when it leaves an alert unanswered", async () => {
    await stage.online("idle-4", { onMcp: () => undefined });
    const events = await watchEvents(stage.bus, "idle-4");
    const alert = { type: "alert" as const, status: "", message: "Hello?", emotion: "neutral" };
    stage.bus.publish(channels.out("idle-4"), { kind: "text", reply: "r2", body: alert });
    const receipt = await events.until((all) => all.find(({ receipt }) => receipt)?.receipt);
    expect(receipt).toEqual({ reply: "r2", result: "unanswered" });
    await expect.poll(() => stage.view.online("idle-4")?.state).toBe("suspicious");
  }, 15_000);
});

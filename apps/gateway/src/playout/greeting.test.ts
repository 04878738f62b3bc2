import { channels, type Say } from "@voxbus/protocol";
import { loose, type TestDevice } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { watchInbound } from "../test-gateways.ts";
import { openTestHub, type TestHub } from "../test-hub.ts";

let hub: TestHub;
beforeAll(async () => {
  hub = await openTestHub();
});
afterAll(() => hub.close());

const start = (mode = "auto") => ({ type: "listen", state: "start", mode });
const typed = (text: string) => ({ type: "listen", state: "detect", text });

/** Connects a device with a profile, and collects what tts is asked to say. */
async function connect(id: string, profile: object) {
  hub.profiles.set(id, profile);
  const says: Say[] = [];
  hub.bus.subscribe(channels.sayOpen(id), (say) => void says.push(say));
  await hub.bus.flush();
  const device = await hub.connect(id);
  return { device, says };
}

/** Speaks a reply as tts does, in one packet. */
function speak(id: string, { reply, session }: Say, rest: object = {}): void {
  const frame = { session, reply, attempt: 1, sentence: 0, n: 0, kind: "audio", duration: 60, end: "reply", ...rest };
  hub.bus.publish(loose(channels.out(id)), { ...frame, body: new Uint8Array([1]) });
}

const states = (device: TestDevice) =>
  device.received.flatMap((item) => ("json" in item ? [item.json["state"] ?? item.json["type"]] : ["sound"]));

test("greeting: it is spoken when the first listen of a session begins, once, with its variables filled", async () => {
  const { device, says } = await connect("greeted", { greeting: "I am {name}.", name: "Ada", language: "de" });
  device.send(start());
  // The first sound of a process on a busy machine takes seconds.
  const patient = { timeout: 10_000 };
  await expect.poll(() => says.map(({ text, language }) => [text, language]), patient).toEqual([["I am Ada.", "de"]]);
  speak("greeted", says[0]!);
  await expect.poll(() => states(device).slice(1), patient).toEqual(["start", "sound", "stop"]);
  device.send(start());
  device.send({ type: "ping" });
  await device.next(({ type }) => type === "pong");
  expect(says).toHaveLength(1);
});

test.each([
  ["without one", {}, [start()]],
  ["with an empty one", { greeting: "" }, [start()]],
  ["after the user has typed", { greeting: "Hi." }, [typed("what time is it"), start()]],
  ["while a button is pressed", { greeting: "Hi." }, [start("manual")]],
])("greeting: nothing is spoken %s", async (name, profile, messages) => {
  const { device, says } = await connect(`silent-${name.replaceAll(" ", "-")}`, profile);
  for (const message of messages) device.send(message);
  device.send({ type: "ping" });
  await device.next(({ type }) => type === "pong");
  await hub.bus.flush();
  expect(says).toEqual([]);
});

test("greeting: one that has not come when the user asks is taken back, and tts is told", async () => {
  const inbound = await watchInbound(hub.bus, "quick");
  const { device, says } = await connect("quick", { greeting: "Hi." });
  device.send(start());
  await expect.poll(() => says).toHaveLength(1);
  device.send(typed("what time is it"));
  const fences = () =>
    inbound.all.flatMap(({ kind, body }) => (kind === "control" && body.type === "fence" ? [body.reply] : []));
  await expect.poll(fences).toEqual([says[0]!.reply]);
  speak("quick", says[0]!);
  await hub.bus.flush();
  device.send({ type: "ping" });
  await device.next(({ type }) => type === "pong");
  expect(states(device)).not.toContain("sound");
});

test("greeting: one that waits for the user to end is taken back when the user has asked", async () => {
  const ended: unknown[] = [];
  hub.bus.subscribe(channels.event("busy"), ({ turn }) => void (turn && ended.push([turn.reply, turn.reason])));
  const { device, says } = await connect("busy", { greeting: "Hi." });
  device.send(start());
  await expect.poll(() => says).toHaveLength(1);
  const { session, reply } = says[0]!;
  const out = (body: object, rest: object = {}) =>
    hub.bus.publish(loose(channels.out("busy")), { session, kind: "control", body, ...rest });
  out({ type: "user-speaking", seq: 1, on: true });
  speak("busy", says[0]!);
  hub.bus.publish(channels.out("busy"), { session, origin: 2, kind: "text", body: { type: "stt", text: "hello" } });
  await expect.poll(() => ended).toEqual([[reply, "fenced"]]);
  expect(states(device)).not.toContain("sound");
});

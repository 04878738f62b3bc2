import { channels } from "@voxbus/protocol";
import type { TestDevice } from "@voxbus/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { watchInbound } from "../test-gateways.ts";
import { openTestHub, type TestHub } from "../test-hub.ts";
import { isWakeWord } from "./wake-words.ts";

let hub: TestHub;
let count = 0;
beforeAll(async () => {
  hub = await openTestHub();
});
afterAll(() => hub.close());

const packet = new Uint8Array([0xf8, 0xff, 0xfe]);
const start = (mode = "auto") => ({ type: "listen", state: "start", mode });
const stop = { type: "listen", state: "stop" };
const detect = (text: string) => ({ type: "listen", state: "detect", text });
const burst = Array.from({ length: 33 }, () => packet);

/** Connects a device and sends its messages. Returns what they became on the bus, audio left out, once `last` is among it. */
async function send(messages: readonly (object | Uint8Array)[], last: string): Promise<string[]> {
  const id = `device-${(count += 1)}`;
  const inbound = await watchInbound(hub.bus, id);
  const device: TestDevice = await hub.connect(id);
  for (const message of messages) device.send(message);
  const list = () =>
    inbound.all.flatMap((frame) => {
      if (frame.kind === "text") return [`text ${frame.body}`];
      if (frame.kind === "audio" || frame.body.type === "opened" || frame.body.type === "closed") return [];
      return [frame.body.type === "wake" ? `wake ${frame.body.text}` : frame.body.type];
    });
  await expect.poll(list, { timeout: 5000 }).toContain(last);
  return list();
}

describe("wake words", () => {
  test.each([
    "你好小智",
    "你好，小智！",
    "Hi, ESP",
    "hi esp",
    "Hi,ESP",
    "ＡＬＥＸＡ",
    "JARVIS",
    "小爱同学",
    "Hi,乐鑫",
    "Hey Wanda",
  ])("%s: is one of the firmware's own, however it is spelled", (text) => expect(isWakeWord(text, [])).toBe(true));

  test("words of the profile: are compared by letters and digits too", () => {
    expect(isWakeWord("Ok, Kitchen 2!", ["ok kitchen-2"])).toBe(true);
    expect(isWakeWord("ok kitchen 3", ["ok kitchen-2"])).toBe(false);
    expect(isWakeWord("?", ["!"])).toBe(false);
    expect(isWakeWord("?", ["?"])).toBe(true);
    expect(isWakeWord("नमस्ते", ["नमसत"])).toBe(false);
  });

  test.each(["what time is it", "Alexa, what time is it", "你好", "hi", "?", "🙂"])("%s: is not one", (text) =>
    expect(isWakeWord(text, [])).toBe(false),
  );
});

describe("detect", () => {
  test("stock firmware: a wake word of any kind, between its audio and a listen", async () => {
    expect(await send([...burst, detect("你好我的小机器人"), start()], "listen")).toEqual([
      "wake 你好我的小机器人",
      "listen",
    ]);
    expect(await send([...burst, detect("你好小智"), start("realtime")], "listen")).toEqual([
      "wake 你好小智",
      "listen",
    ]);
    expect(await send([detect("Hi, ESP"), start()], "listen")).toEqual(["wake Hi, ESP", "listen"]);
    expect(await send([detect(""), start()], "listen")).toEqual(["wake ", "listen"]);
  });

  test("stock firmware, woken again on the same connection: a wake word", async () => {
    const first = [start("manual"), packet, stop];
    expect(
      await send([...first, ...burst, detect("hello my box"), start("manual"), stop, { type: "goodbye" }], "goodbye"),
    ).toEqual(["listen", "stop", "wake hello my box", "listen", "stop", "goodbye"]);
  });

  test.each([
    ["a listen that is open", [start(), packet, packet]],
    ["a realtime listen", [start("realtime"), packet, { type: "abort" }, packet]],
    ["an aborted listen whose microphone stays on", [start(), packet, { type: "abort" }, packet]],
    ["a manual listen that is over", [start("manual"), packet, stop]],
    ["a manual listen, and the empty packet of a web page", [start("manual"), packet, stop, new Uint8Array()]],
    [
      "a client that never stops its listen",
      [start("manual"), packet, { type: "listen", state: "detect", text: "hi" }],
    ],
    ["nothing", []],
  ])("typed text after %s: is typed text, at once", async (_, before) => {
    const became = await send([...before, detect("what time is it"), { type: "goodbye" }], "goodbye");
    expect(became.at(-2)).toBe("text what time is it");
    expect(became.some((one) => one.startsWith("wake"))).toBe(false);
  });

  test("typed text after audio outside of a listen: is typed text within 2 s, since no listen follows", async () => {
    const began = performance.now();
    const late = [start("manual"), packet, stop, packet, packet, detect("tell me a joke")];
    expect(await send(late, "text tell me a joke")).toEqual(["listen", "stop", "text tell me a joke"]);
    expect(performance.now() - began).toBeLessThan(3000);
    expect(await send([packet, detect("one"), detect("two"), { type: "abort" }], "abort")).toEqual([
      "text one",
      "text two",
      "abort",
    ]);
  });

  test("MCP between a wake word and its listen: changes nothing", async () => {
    const mcp = { type: "mcp", payload: { jsonrpc: "2.0", id: 1, result: {} } };
    expect(await send([...burst, detect("my own word"), mcp, { type: "ping" }, start()], "listen")).toEqual([
      "mcp",
      "wake my own word",
      "listen",
    ]);
  });
});

test("abort in realtime mode: the conversation still listens, and ends after silence", async () => {
  hub.profiles.set("realtime", { silenceMs: 300 });
  const says: string[] = [];
  const closer = hub.bus.subscribe(channels.sayOpen("realtime"), ({ text }) => void says.push(text));
  const device = await hub.connect("realtime");
  device.send(start("realtime"));
  device.send({ type: "abort" });
  await expect.poll(() => says, { timeout: 5000 }).toEqual(["Goodbye for now."]);
  closer.close();
});

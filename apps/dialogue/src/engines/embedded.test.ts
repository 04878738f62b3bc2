import { emotions as intentEmotions, modelHint } from "@voxbus/intents";
import { emotions } from "@voxbus/protocol";
import { expect, test } from "vitest";
import { createEmbeddedEngine } from "./embedded.ts";
import type { DeviceAccess } from "./engine.ts";
import { testEngine } from "./engine.suite.ts";
import { collectText, createAccess, createRequest } from "./test-request.ts";

testEngine("embedded", {
  create: async () => createEmbeddedEngine(),
  known: "tell me a long story",
  beginning: "Once upon a time",
  hint: "help",
});

test("embedded: text outside the table is repeated, and the way to connect a model is explained once", async () => {
  const engine = createEmbeddedEngine();
  const first = await collectText(engine, createRequest("what is love?"));
  expect(first).toBe(`You said: what is love? ${modelHint}`);
  const history = [{ role: "assistant" as const, text: first, at: 1 }];
  expect(await collectText(engine, createRequest("what is love?", { history }))).toBe("You said: what is love?");
  expect(await collectText(engine, createRequest("你好吗", { history }))).toBe("你说的是：你好吗。");
});

test("embedded: an answer continues after its spoken part, and stops if that part begins differently", async () => {
  const engine = createEmbeddedEngine();
  const ask = (spoken: string) => collectText(engine, createRequest("tell me a story", { spoken }));
  const whole = await ask("");
  expect(await ask(`${whole.slice(0, 70)}  `)).toBe(whole.slice(70).trim());
  expect(await ask("Something else.")).toBe("");
  expect(await ask(whole)).toBe("");
});

test("embedded: a timer is set by a tool, and without it the assistant says that it cannot", async () => {
  const calls: [string, object][] = [];
  const call = async (name: string, args: object) => {
    calls.push([name, args]);
    return "The timer for 10 seconds rings in 10 seconds.";
  };
  const list = [{ name: "set_timer", description: "Sets a timer.", inputSchema: {} }];
  const ask = (device: DeviceAccess) =>
    collectText(createEmbeddedEngine(), createRequest("set a timer for ten seconds", { device }));
  expect(await ask(createAccess({ tools: { list, call } }))).toBe("The timer for 10 seconds rings in 10 seconds.");
  expect(calls).toEqual([["set_timer", { seconds: 10 }]]);
  expect(await ask(createAccess())).toBe("I cannot set timers now.");
});

test("embedded: the intents know the faces of the protocol", () => {
  expect(intentEmotions).toEqual(emotions);
});

import { emotions as intentEmotions, modelHint } from "@voxbus/intents";
import { emotions } from "@voxbus/protocol";
import { expect, test } from "vitest";
import { createEmbeddedEngine } from "./embedded.ts";
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

test("embedded: a timer becomes a reminder", async () => {
  const scheduled: [number, string][] = [];
  const reminders = {
    schedule: async (ms: number, text: string) => void scheduled.push([ms, text]),
    cancel: async () => 0,
  };
  const request = createRequest("set a timer for ten seconds", { device: createAccess({ reminders }) });
  await collectText(createEmbeddedEngine(), request);
  expect(scheduled).toEqual([[10_000, "Your timer is done. 10 seconds have passed."]]);
});

test("embedded: the intents know the faces of the protocol", () => {
  expect(intentEmotions).toEqual(emotions);
});

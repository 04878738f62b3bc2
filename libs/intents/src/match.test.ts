import { expect, test } from "vitest";
import { createChoiceSlot, defineIntent, intents, judgePhrase, matchIntent } from "./index.ts";

const find = (text: string) => {
  const match = matchIntent(intents, text);
  return match && [match.intent.name, match.slots];
};

test.each([
  ["What time is it?", "time", {}],
  ["set a 5 minute timer", "timer", { number: 5, unit: "minute" }],
  ["set a timer for twenty five seconds", "timer", { number: 25, unit: "second" }],
  ["Set volume to 50%", "set volume", { number: 50 }],
  ["set the volume to a hundred", "set volume", { number: 100 }],
  ["what's twenty one plus one hundred", "arithmetic", { left: 21, operator: "+", right: 100 }],
  ["what is one minus twenty", "arithmetic", { left: 1, operator: "-", right: 20 }],
  ["what is 1.5 divided by 3", "arithmetic", { left: 1.5, operator: "/", right: 3 }],
  ["turn off the lights in the living room", "lights", { power: "off", light: "", room: "living room" }],
])("match: %s", (text, name, slots) => {
  expect(find(text)).toEqual([name, slots]);
});

test.each([
  "",
  "what time",
  "what time is it in atlantis",
  "set the volume to",
  "tell me a zzk zzae",
  "今天天气怎么样",
])("match: nothing fits %j", (text) => {
  expect(find(text)).toBeUndefined();
});

test("match: a team's own intent with its own slot is found like a built-in one", () => {
  const door = defineIntent({
    name: "door",
    slots: { door: createChoiceSlot({ "front door": "front", gate: "gate" }) },
    phrases: ["open the {door} [now]"],
    answer: ({ slots }) => `Opening ${slots["door"]}.`,
  });
  expect(matchIntent([door, ...intents], "Open the front door now!")?.slots).toEqual({ door: "front" });
  expect(matchIntent([door, ...intents], "hello")?.intent.name).toBe("hello");
});

test("define: an empty phrase, an open bracket and an unknown slot are refused by name", () => {
  const answer = () => "";
  expect(() => defineIntent({ name: "a", phrases: [], answer })).toThrow('intent "a" has no phrases');
  expect(() => defineIntent({ name: "b", phrases: ["[hm]"], answer })).toThrow(
    'intent "b": phrase "[hm]" has no words',
  );
  expect(() => defineIntent({ name: "c", phrases: ["go [on"], answer })).toThrow("a bracket is not closed");
  expect(() => defineIntent({ name: "d", phrases: ["to {place}"], answer })).toThrow("unknown slot {place}");
  expect(() => defineIntent({ name: "d", phrases: ["to {constructor}"], answer })).toThrow(
    "unknown slot {constructor}",
  );
});

test.each([
  ["what time is it", "whole"],
  ["stop", "whole"],
  ["turn the volume to twenty", "whole"],
  ["set the volume to", "begun"],
  ["what's", "begun"],
  ["set a timer for five", "begun"],
  ["turn on the", "begun"],
  ["tell me about", "unknown"],
  ["what time is it in atlantis", "unknown"],
  ["", "unknown"],
])("judge: %j is %s", (text, judgment) => {
  expect(judgePhrase(intents, text)).toBe(judgment);
});

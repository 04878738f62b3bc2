import { expect, test } from "vitest";
import { createChoiceSlot, defineIntent, intents, judgePhrase, matchIntent } from "./index.ts";

const find = (text: string) => {
  const match = matchIntent(intents, text);
  return match && [match.intent.name, match.slots];
};

const weekdays = "monday,tuesday,wednesday,thursday,friday";

test.each([
  ["What time is it?", "time", {}],
  ["set a 5 minute timer", "timer", { number: 5, unit: "minute" }],
  ["set a timer for twenty five seconds", "timer", { number: 25, unit: "second" }],
  ["Set volume to 50%", "set volume", { number: 50 }],
  ["set the volume to a hundred", "set volume", { number: 100 }],
  ["what's twenty one plus one hundred", "arithmetic", { left: 21, operator: "+", right: 100 }],
  ["what is one minus twenty", "arithmetic", { left: 1, operator: "-", right: 20 }],
  ["what is 1.5 divided by 3", "arithmetic", { left: 1.5, operator: "/", right: 3 }],
  ["wake me up at seven", "alarm", { time: "07:00?" }],
  ["set an alarm for half past six every weekday", "alarm", { time: "06:30?", when: weekdays }],
  ["set an alarm for 7:30 on weekends", "alarm", { time: "07:30?", when: "saturday,sunday" }],
  ["wake me at 7 p.m. tomorrow", "alarm", { time: "19:00", when: "tomorrow" }],
  ["set a tea timer for three minutes", "timer", { name: "tea", number: 3, unit: "minute" }],
  ["cancel the tea timer", "cancel timer", { name: "tea" }],
  ["cancel the five minute timer", "cancel timer", { number: 5, unit: "minute" }],
  ["cancel the timer", "cancel timer", {}],
  ["cancel the alarm for seven thirty", "cancel alarm", { time: "07:30?" }],
  ["turn off the lights in the living room", "lights", { power: "off", light: "", room: "living room" }],
])("match: %s", (text, name, slots) => {
  expect(find(text)).toEqual([name, slots]);
});

test.each([
  ["What time is it in Paris, Texas?", "time at a place", { place: "paris texas" }],
  ["what time is it in new york", "time at a place", { place: "New York" }],
  ["Set a green tea timer for 3 minutes", "timer", { name: "green tea", number: 3, unit: "minute" }],
  ["set a timer for 10 minutes for the eggs", "timer", { number: 10, unit: "minute", name: "the eggs" }],
  ["set a 10 minute timer", "timer", { number: 10, unit: "minute" }],
  ["Remind me to call Ann in 2 hours", "timer", { name: "call ann", number: 2, unit: "hour" }],
  ["remind me to call ann at 19:30 tomorrow", "alarm", { name: "call ann", time: "19:30", when: "tomorrow" }],
  ["set a school alarm for 7:15 every monday", "alarm", { name: "school", time: "07:15?", when: "monday" }],
  ["remind me to buy milk tomorrow at 9", "alarm", { name: "buy milk", time: "09:00?", when: "tomorrow" }],
  ["remind me to buy milk at 9 tomorrow", "alarm", { name: "buy milk", time: "09:00?", when: "tomorrow" }],
  ["remind me at 9 to buy milk tomorrow", "alarm", { name: "buy milk", time: "09:00?", when: "tomorrow" }],
  [
    "remind me to water the plants every monday at 9",
    "alarm",
    { name: "water the plants", time: "09:00?", when: "monday" },
  ],
  ["remind me to call ann at 9", "alarm", { name: "call ann", time: "09:00?" }],
  ["remind me at 9 to call ann", "alarm", { name: "call ann", time: "09:00?" }],
  ["set an alarm for 7 named school on weekdays", "alarm", { name: "school", time: "07:00?", when: weekdays }],
  ["cancel the green tea timer", "cancel timer", { name: "green tea" }],
  ["cancel my 5 minute timer", "cancel timer", { number: 5, unit: "minute" }],
  ["cancel the timer for five minutes", "cancel timer", { number: 5, unit: "minute" }],
  ["cancel the 7:30 alarm", "cancel alarm", { time: "07:30?" }],
  ["cancel the school alarm", "cancel alarm", { name: "school" }],
])("match: typed places and names can be any words: %s", (text, name, slots) => {
  expect(find(text)).toEqual([name, slots]);
});

test.each([
  "",
  "what time",
  "what time is it in",
  "set a timer for 5 minutes named",
  "set the volume to",
  "tell me a zzk zzae",
  "今天天气怎么样",
])("match: nothing fits %j", (text) => {
  expect(find(text)).toBeUndefined();
});

test("match: a phrase that can be heard goes before a typed one of another intent", () => {
  const any = defineIntent({ name: "any", phrases: ["any"], typed: ["{words}"], answer: () => "" });
  expect(matchIntent([any, ...intents], "hello")?.intent.name).toBe("hello");
  expect(matchIntent([any, ...intents], "what is love")?.slots).toEqual({ words: "what is love" });
  expect(matchIntent([any, ...intents], "one two three four five six seven eight nine")).toBeUndefined();
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
  expect(() => defineIntent({ name: "d", phrases: ["to {words}"], answer })).toThrow(
    "the slot {words} has no spoken forms",
  );
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
  ["cancel the school alarm", "unknown"],
  ["wake me up at", "begun"],
  ["wake me up at seven", "whole"],
  ["", "unknown"],
])("judge: %j is %s", (text, judgment) => {
  expect(judgePhrase(intents, text)).toBe(judgment);
});

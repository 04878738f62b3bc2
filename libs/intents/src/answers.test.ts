import { expect, test } from "vitest";
import { emotions, intents, matchIntent, type Answer, type IntentContext } from "./index.ts";

const base: Omit<IntentContext, "slots"> = {
  now: new Date("2025-11-20T14:07:00Z"),
  timeZone: "Europe/Berlin",
  locale: "en-US",
  tools: [],
};

async function ask(text: string, device: Partial<IntentContext> = {}): Promise<Answer> {
  const match = matchIntent(intents, text);
  if (match === undefined) throw new Error(`nothing answers "${text}"`);
  const answer = await match.intent.answer({ ...base, ...device, slots: match.slots });
  return typeof answer === "string" ? { text: answer } : answer;
}

function createDevice(tools: readonly string[]) {
  const calls: [string, object][] = [];
  const status = { audio_speaker: { volume: 55 }, screen: { brightness: 90 }, battery: { level: 12 } };
  return {
    calls,
    tools,
    callTool: async (name: string, args: object) => {
      calls.push([name, args]);
      return name === "self.get_device_status" ? JSON.stringify(status) : "true";
    },
  };
}

test("answers: every intent answers in speakable words with a known face, also without a device", async () => {
  for (const intent of intents) {
    const slots = { number: 5, unit: "minute", left: 1, right: 2, operator: "+", direction: 1, shade: 1, power: "on" };
    const answer = await intent.answer({ ...base, slots });
    const { text, emotion } = typeof answer === "string" ? { text: answer, emotion: undefined } : answer;
    expect(text, intent.name).toMatch(/^[A-Z].*[.!?]$/s);
    expect(text, intent.name).not.toMatch(/undefined|NaN|[*_#`]/);
    if (emotion !== undefined) expect(emotions).toContain(emotion);
  }
});

test.each([
  ["what time is it", "It is 3:07 PM."],
  ["what day is it", "Today is Thursday, November 20."],
  ["what is seven times eight", "That is 56."],
  ["what is three minus ten", "That is minus 7."],
  ["what is ten divided by three", "That is about 3.33."],
  ["what is ten divided by zero", "No one can divide by zero, not even me."],
  ["set the volume to fifty", "This device does not let me change its volume."],
  ["turn on the light", "This device has no light that I can switch."],
])("answers: %s", async (question, expected) => {
  expect((await ask(question)).text).toBe(expected);
});

test("answers: volume and brightness are set with the device's own tools, bounded to 0-100", async () => {
  const device = createDevice([
    "self.get_device_status",
    "self.audio_speaker.set_volume",
    "self.screen.set_brightness",
  ]);
  expect((await ask("set the volume to 250", device)).text).toBe("The volume is now 100 percent.");
  expect((await ask("make it quieter", device)).text).toBe("The volume is now 45 percent.");
  expect((await ask("make the screen brighter", device)).text).toBe("The brightness is now 100 percent.");
  expect((await ask("how much battery is left", device)).text).toBe("The battery is at 12 percent.");
  expect(device.calls.filter(([name]) => name !== "self.get_device_status")).toEqual([
    ["self.audio_speaker.set_volume", { volume: 100 }],
    ["self.audio_speaker.set_volume", { volume: 45 }],
    ["self.screen.set_brightness", { brightness: 100 }],
  ]);
});

test("answers: volume and brightness are set with the built-in tools where these are offered, in their words", async () => {
  const device = createDevice(["self.audio_speaker.set_volume", "set_volume", "set_brightness"]);
  expect((await ask("set the volume to 250", device)).text).toBe("true");
  await ask("make it quieter", device);
  await ask("mute", device);
  await ask("make the screen brighter", device);
  expect(device.calls).toEqual([
    ["set_volume", { percent: 100 }],
    ["set_volume", { change: -10 }],
    ["set_volume", { percent: 0 }],
    ["set_brightness", { change: 20 }],
  ]);
});

test("answers: a light is switched by the tool that names the room, else by the only one", async () => {
  const device = createDevice(["self.lamp.turn_on", "self.kitchen_light.turn_on", "self.lamp.turn_off"]);
  await ask("turn on the kitchen light", device);
  await ask("turn the lights off", device);
  expect(device.calls.map(([name]) => name)).toEqual(["self.kitchen_light.turn_on", "self.lamp.turn_off"]);
});

test("answers: timers and places are the business of tools, whose sentences are spoken", async () => {
  const calls: [string, object][] = [];
  const tools = ["set_timer", "list_timers", "cancel_timers", "get_time", "end_conversation"];
  const callTool = async (name: string, args: object) => {
    calls.push([name, args]);
    return `The answer of ${name}.`;
  };
  expect((await ask("set a timer for two minutes", { tools, callTool })).text).toBe("The answer of set_timer.");
  await ask("wake me up in one hour", { tools, callTool });
  await ask("remind me in 90 seconds", { tools, callTool });
  expect((await ask("which timers are running", { tools, callTool })).text).toBe("The answer of list_timers.");
  expect((await ask("cancel the timer", { tools, callTool })).text).toBe("The answer of cancel_timers.");
  expect((await ask("what time is it in New York", { tools, callTool })).text).toBe("The answer of get_time.");
  expect((await ask("goodbye", { tools, callTool })).text).toBe("Goodbye!");
  expect(calls).toEqual([
    ["set_timer", { minutes: 2 }],
    ["set_timer", { hours: 1 }],
    ["set_timer", { seconds: 90 }],
    ["list_timers", {}],
    ["cancel_timers", { kind: "timer" }],
    ["get_time", { place: "New York" }],
    ["end_conversation", {}],
  ]);
  calls.length = 0;
  await ask("What time is it in são paulo, Brazil?", { tools, callTool });
  await ask("set a tea timer for three minutes", { tools, callTool });
  await ask("cancel the tea timer", { tools, callTool });
  await ask("cancel the one minute timer", { tools, callTool });
  await ask("cancel the 90 second timer", { tools, callTool });
  await ask("cancel all timers and alarms", { tools, callTool });
  await ask("cancel all alarms", { tools, callTool });
  await ask("cancel the school alarm", { tools, callTool });
  await ask("cancel the 7:30 alarm", { tools, callTool });
  expect(calls).toEqual([
    ["get_time", { place: "São Paulo Brazil" }],
    ["set_timer", { minutes: 3, name: "tea" }],
    ["cancel_timers", { kind: "timer", name: "tea" }],
    ["cancel_timers", { kind: "timer", name: "1 minute" }],
    ["cancel_timers", { kind: "timer", name: "90 seconds" }],
    ["cancel_timers", {}],
    ["cancel_timers", { kind: "alarm" }],
    ["cancel_timers", { kind: "alarm", name: "school" }],
    ["cancel_timers", { kind: "alarm", name: "7:30" }],
  ]);
  calls.length = 0;
  expect((await ask("set a timer for 100 hours", { tools, callTool })).text).toContain("twenty four hours");
  expect(calls).toEqual([]);
});

test("answers: an alarm is set for the time of the device that comes next, for tomorrow, or for days of every week", async () => {
  const alarms: object[] = [];
  const callTool = async (_: string, args: object) => {
    alarms.push(args);
    return "The answer of set_alarm.";
  };
  const tools = ["set_alarm"];
  // It is 15:07 in Berlin.
  for (const text of [
    "wake me up at three",
    "wake me up at three thirty",
    "set an alarm for 3:05 pm",
    "wake me up at seven tomorrow",
    "set an alarm for half past six every weekday",
    "remind me to water the plants at 7 in the evening every sunday",
    "remind me to buy milk tomorrow at 9",
    "remind me to buy milk every monday at 9",
  ])
    expect((await ask(text, { tools, callTool })).text).toBe("The answer of set_alarm.");
  // There it is the next day already.
  await ask("wake me up at seven tomorrow", { tools, callTool, timeZone: "Pacific/Auckland" });
  expect(alarms).toEqual([
    { time: "03:00" },
    { time: "15:30" },
    { time: "15:05" },
    { time: "07:00", date: "2025-11-21" },
    { time: "06:30", days: ["monday", "tuesday", "wednesday", "thursday", "friday"] },
    { time: "19:00", days: ["sunday"], name: "water the plants" },
    { time: "09:00", date: "2025-11-21", name: "buy milk" },
    { time: "09:00", days: ["monday"], name: "buy milk" },
    { time: "07:00", date: "2025-11-22" },
  ]);
  expect((await ask("wake me up at seven")).text).toBe("I cannot set timers now.");
});

test.each([
  ["are not offered", []],
  ["fail", ["set_timer", "list_timers", "cancel_timers", "get_time"]],
])("answers: while these tools %s, the assistant says so", async (_, tools) => {
  const callTool = () => Promise.reject(new Error("no program answers"));
  for (const text of ["set a timer for two minutes", "list my timers", "cancel the timer"])
    expect((await ask(text, { tools, callTool })).text).toBe("I cannot set timers now.");
  expect((await ask("what time is it in Tokyo", { tools, callTool })).text).toMatch(/^I cannot look up the time/);
  expect((await ask("goodbye", { tools, callTool })).text).toBe("Goodbye!");
  const aborted = AbortSignal.abort(new Error("interrupted"));
  const match = matchIntent(intents, "list my timers");
  const answer = Promise.resolve(
    match?.intent.answer({ ...base, tools: ["list_timers"], callTool, slots: {} }, aborted),
  );
  await expect(answer).rejects.toThrow("interrupted");
});

test("answers: the long story is about a minute of speech", async () => {
  const words = (await ask("tell me a long story")).text.split(" ").length;
  expect(words).toBeGreaterThan(150);
  expect(words).toBeLessThan(260);
});

import { defineIntent, type Answer, type Intent, type IntentContext } from "./intent.ts";
import { createChoiceSlot } from "./slot.ts";

/** The tool that sets each level, under the name of its argument. */
const setters = { volume: "self.audio_speaker.set_volume", brightness: "self.screen.set_brightness" } as const;
const getStatus = "self.get_device_status";
const volumeStep = 10;
const brightnessStep = 20;

const direction = createChoiceSlot({ up: 1, down: -1 });
const loudness = createChoiceSlot({ louder: 1, quieter: -1 });
const shade = createChoiceSlot({ brighter: 1, darker: -1 });
const power = createChoiceSlot({ on: "on", off: "off" });
const light = createChoiceSlot({ light: "", lights: "", lamp: "" });
const room = createChoiceSlot({
  kitchen: "kitchen",
  bedroom: "bedroom",
  bathroom: "bathroom",
  "living room": "living room",
  office: "office",
});

/** Intents that use the device's own tools (docs/protocol.md, device MCP): volume, screen, battery, lights. */
export const deviceIntents: readonly Intent[] = [
  defineIntent({
    name: "set volume",
    phrases: ["set [the] volume to {number} [percent]", "volume {number}", "turn the volume to {number}"],
    answer: ({ slots, ...device }, signal) => setLevel(device, "volume", Number(slots["number"]), signal),
  }),
  defineIntent({
    name: "change volume",
    slots: { direction, loudness },
    phrases: [
      "turn {direction} the volume",
      "turn the volume {direction}",
      "turn it {direction}",
      "volume {direction}",
      "make it {direction:loudness}",
      "speak {direction:loudness}",
    ],
    answer: async ({ slots, ...device }, signal) => {
      const level = await readStatus(device, "audio_speaker", "volume", signal);
      if (level === undefined) return { text: "This device does not tell me its volume.", emotion: "sad" };
      return setLevel(device, "volume", level + Number(slots["direction"]) * volumeStep, signal);
    },
  }),
  defineIntent({
    name: "mute",
    phrases: ["mute", "mute the sound", "turn off the sound"],
    answer: (device, signal) => setLevel(device, "volume", 0, signal),
  }),
  defineIntent({
    name: "volume",
    phrases: ["what is the volume", "how loud are you"],
    answer: async (device, signal) => {
      const level = await readStatus(device, "audio_speaker", "volume", signal);
      if (level === undefined) return { text: "This device does not tell me its volume.", emotion: "sad" };
      return { text: `The volume is ${level} percent.`, emotion: "neutral" };
    },
  }),
  defineIntent({
    name: "set brightness",
    phrases: ["set [the] [screen] brightness to {number} [percent]", "brightness {number}"],
    answer: ({ slots, ...device }, signal) => setLevel(device, "brightness", Number(slots["number"]), signal),
  }),
  defineIntent({
    name: "change brightness",
    slots: { shade },
    phrases: ["make the screen {shade}"],
    answer: async ({ slots, ...device }, signal) => {
      const level = await readStatus(device, "screen", "brightness", signal);
      if (level === undefined) return { text: "This device does not tell me its brightness.", emotion: "sad" };
      return setLevel(device, "brightness", level + Number(slots["shade"]) * brightnessStep, signal);
    },
  }),
  defineIntent({
    name: "battery",
    phrases: ["how much battery is left", "what is the battery level"],
    answer: async (device, signal) => {
      const level = await readStatus(device, "battery", "level", signal);
      if (level === undefined) return { text: "This device does not tell me about a battery.", emotion: "neutral" };
      return { text: `The battery is at ${level} percent.`, emotion: level < 20 ? "sad" : "happy" };
    },
  }),
  defineIntent({
    name: "lights",
    slots: { power, light, room },
    phrases: [
      "turn {power} the {light}",
      "turn the {light} {power}",
      "turn {power} the {room} {light}",
      "turn {power} the {light} in the {room}",
      "lights {power}",
    ],
    answer: switchLight,
  }),
];

type Device = Omit<IntentContext, "slots">;

async function setLevel(
  { tools, callTool }: Device,
  name: keyof typeof setters,
  level: number,
  signal?: AbortSignal,
): Promise<Answer> {
  if (callTool === undefined || !tools.includes(setters[name])) {
    return { text: `This device does not let me change its ${name}.`, emotion: "sad" };
  }
  const bounded = Math.round(Math.min(100, Math.max(0, level)));
  await callTool(setters[name], { [name]: bounded }, signal);
  return { text: `The ${name} is now ${bounded} percent.`, emotion: "happy" };
}

async function readStatus(
  { tools, callTool }: Device,
  part: string,
  field: string,
  signal?: AbortSignal,
): Promise<number | undefined> {
  if (callTool === undefined || !tools.includes(getStatus)) return undefined;
  const status = JSON.parse(await callTool(getStatus, {}, signal)) as Record<string, Record<string, unknown>>;
  const value = status[part]?.[field];
  return typeof value === "number" ? value : undefined;
}

async function switchLight({ slots, tools, callTool }: IntentContext, signal?: AbortSignal): Promise<Answer> {
  const power = String(slots["power"]);
  const wanted = slots["room"] === undefined ? undefined : String(slots["room"]);
  const lights = tools.filter((name) => /light|lamp|led/i.test(name) && name.endsWith(`turn_${power}`));
  const tool = lights.find((name) => wanted !== undefined && name.includes(wanted.replace(" ", "_"))) ?? lights[0];
  if (callTool === undefined || tool === undefined) {
    return { text: "This device has no light that I can switch.", emotion: "sad" };
  }
  await callTool(tool, {}, signal);
  return { text: `The light is ${power}.`, emotion: "happy" };
}

import { defineIntent, type Answer, type Intent, type IntentContext } from "./intent.ts";
import { createChoiceSlot } from "./slot.ts";

/** The device's own tool that sets each level, under the name of its argument. */
const setters = { volume: "self.audio_speaker.set_volume", brightness: "self.screen.set_brightness" } as const;
/** The part of the device's status that has each level. */
const parts = { volume: "audio_speaker", brightness: "screen" } as const;
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

/**
 * Intents for volume, screen, battery and lights. They use the device's own tools (docs/protocol.md, device MCP), and to set a level
 * the built-in ones if these are offered.
 */
export const deviceIntents: readonly Intent[] = [
  defineIntent({
    name: "set volume",
    phrases: ["set [the] volume to {number} [percent]", "volume {number}", "turn the volume to {number}"],
    answer: ({ slots, ...device }, signal) => setLevel(device, "volume", { percent: Number(slots["number"]) }, signal),
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
    answer: ({ slots, ...device }, signal) =>
      setLevel(device, "volume", { change: Number(slots["direction"]) * volumeStep }, signal),
  }),
  defineIntent({
    name: "mute",
    phrases: ["mute", "mute the sound", "turn off the sound"],
    answer: (device, signal) => setLevel(device, "volume", { percent: 0 }, signal),
  }),
  defineIntent({
    name: "volume",
    phrases: ["what is the volume", "how loud are you"],
    answer: async (device, signal) => {
      const level = await readStatus(device, parts.volume, "volume", signal);
      if (level === undefined) return { text: "This device does not tell me its volume.", emotion: "sad" };
      return { text: `The volume is ${level} percent.`, emotion: "neutral" };
    },
  }),
  defineIntent({
    name: "set brightness",
    phrases: ["set [the] [screen] brightness to {number} [percent]", "brightness {number}"],
    answer: ({ slots, ...device }, signal) =>
      setLevel(device, "brightness", { percent: Number(slots["number"]) }, signal),
  }),
  defineIntent({
    name: "change brightness",
    slots: { shade },
    phrases: ["make the screen {shade}"],
    answer: ({ slots, ...device }, signal) =>
      setLevel(device, "brightness", { change: Number(slots["shade"]) * brightnessStep }, signal),
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

/** A wish of a user, in the words of the tools `set_volume` and `set_brightness`. */
type Wish = { readonly percent: number } | { readonly change: number };

/** Sets a level with the tool that speaks of it, and with the device's own if that is not offered. */
async function setLevel(device: Device, name: keyof typeof setters, wish: Wish, signal?: AbortSignal): Promise<Answer> {
  const { tools, callTool } = device;
  const args = "percent" in wish ? { percent: bound(wish.percent) } : wish;
  if (callTool !== undefined && tools.includes(`set_${name}`))
    return { text: await callTool(`set_${name}`, args, signal), emotion: "happy" };
  if (callTool === undefined || !tools.includes(setters[name])) {
    return { text: `This device does not let me change its ${name}.`, emotion: "sad" };
  }
  const known = "percent" in wish ? 0 : await readStatus(device, parts[name], name, signal);
  if (known === undefined) return { text: `This device does not tell me its ${name}.`, emotion: "sad" };
  const level = bound("percent" in wish ? wish.percent : known + wish.change);
  await callTool(setters[name], { [name]: level }, signal);
  return { text: `The ${name} is now ${level} percent.`, emotion: "happy" };
}

function bound(percent: number): number {
  return Math.round(Math.min(100, Math.max(0, percent)));
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

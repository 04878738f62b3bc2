import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "./fault.ts";
import type { ModelMood } from "./model.ts";
import type { Stage } from "./stage.ts";

const moodMs = 8000;

const change = (mood: ModelMood) => async (stage: Stage) => {
  const { model } = stage.world;
  if (!model) throw new Error("this world has no model");
  await stage.next("played");
  stage.begin();
  model.mood = mood;
  await sleep(moodMs);
  model.mood = "well";
  // Time for the requests in flight to end.
  await sleep(6000);
};

const moods: Readonly<Record<Exclude<ModelMood, "well">, string>> = {
  silent: "accepts requests and sends nothing",
  stalls: "stalls in mid-answer",
  "error 500": "answers 500",
  "breaks off": "breaks off in mid-answer",
  garbage: "streams unspeakable text",
  "no protocol": "streams bytes that are not the protocol",
};

/** Faults of language models and speech servers. */
export const modelFaults: readonly Fault[] = [
  ...Object.entries(moods).map(([mood, text]): Fault => ({
    name: `a language model ${text}`,
    world: "model",
    happen: change(mood as ModelMood),
  })),
  { name: "a speech server hangs", world: "speech", happen: change("silent") },
];

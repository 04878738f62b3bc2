import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "../e2e/launcher.ts";
import { isAudio, isMessage, readSentences, startDevice } from "../e2e/scripted-device.ts";
import { prepareRecipe, type Recipe, type StartedRecipe } from "./recipe.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 300_000 });

let recipe: Recipe;
let nats: NatsServer;
let system: LaunchedSystem;
let program: StartedRecipe | undefined;

beforeAll(async () => {
  recipe = await prepareRecipe("python", "examples/brain/README.md");
  if (recipe.missing !== undefined) return;
  nats = await startNatsServer();
  system = await launchSystem({ env: { VOXBUS_NATS_URL: nats.url } });
  const answered = await fetch(new URL("/api/devices/kitchen/profile", system.monitor), {
    method: "PUT",
    headers: { "if-match": '"0"', "content-type": "application/json" },
    body: '{"engines":{"llm":"none"}}',
  });
  expect(answered.status).toBe(200);
  program = await recipe.start({ VOXBUS_NATS_URL: nats.url });
});
afterAll(async () => {
  await program?.end();
  await system?.close();
  await nats?.stop();
  recipe?.remove();
});

test("brain: its sentences are spoken while it still writes, an interruption ends it, and it apologizes", async ({
  skip,
}) => {
  skip(recipe.missing !== undefined, recipe.missing);
  const device = await startDevice(system.devices[0]!, "kitchen");
  const start = (text: string) => isMessage({ type: "tts", state: "sentence_start", text });

  await device.do({ do: "text", text: "open the door" });
  expect(readSentences(await device.turn())).toEqual(["Let me see.", "The door is open.", "Shall I close it?"]);

  await device.do({ do: "text", text: "open the door" });
  await device.next(start("Let me see."));
  await device.next(isAudio);
  await device.do({ do: "abort" });
  await device.next(isMessage({ type: "tts", state: "stop" }));

  await device.do({ do: "text", text: "what time is it" });
  const said = readSentences(await device.turn());
  expect(said).toEqual(["I am sorry, I cannot answer that."]);
  await device.end();
  expect(program?.output()).toBe("ready\nturn failed: LookupError\n");
});

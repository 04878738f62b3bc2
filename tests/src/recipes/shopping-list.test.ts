import { readFileSync } from "node:fs";
import { join } from "node:path";
import { startModelServer, type ModelServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { StartedProgram } from "../e2e/accounts.ts";
import { readSentences, startDevice } from "../e2e/scripted-device.ts";
import { startPageNats, type PageNats } from "./page-nats.ts";
import { prepareRecipe, type Recipe, type StartedRecipe } from "./recipe.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 300_000 });

const page = "examples/shopping-list/README.md";
let recipe: Recipe;
let nats: PageNats;
let model: ModelServer;
let programs: readonly StartedProgram[];
let program: StartedRecipe | undefined;

beforeAll(async () => {
  recipe = await prepareRecipe("python", page);
  if (recipe.missing !== undefined) return;
  [nats, model] = await Promise.all([startPageNats(page), startModelServer()]);
  const engine = { VOXBUS_LLM_ENGINE: "openai", VOXBUS_LLM_URL: model.url, VOXBUS_LLM_MODEL: "test" };
  programs = await Promise.all([nats.startOwn("gateway"), nats.startOwn("tts"), nats.startOwn("dialogue", engine)]);
});
afterAll(async () => {
  await program?.end();
  await Promise.all((programs ?? []).map((one) => one.end()));
  await model?.close();
  await nats?.server.stop();
  recipe?.remove();
});

test("shopping list: its tests pass", async ({ skip }) => {
  skip(recipe.missing !== undefined, recipe.missing);
  expect(await recipe.run()).toContain("OK");
});

test("shopping list: the model is offered the tool, calls it, and learns the result, under the page's user", async ({
  skip,
}) => {
  skip(recipe.missing !== undefined, recipe.missing);
  model.script.chat = async function* ({ messages, tools = [] }) {
    const last = messages.at(-1);
    if (last?.role === "tool") yield last.content === "milk is on the list." ? "I have put milk on the list." : "No.";
    else if (tools.some((tool) => tool.function.name === "shopping_list"))
      yield { name: "shopping_list", args: '{"action":"add","item":"Milk"}' };
    else yield "I have no list.";
  };
  const login = { VOXBUS_NATS_USER: "shopping-list", VOXBUS_NATS_PASSWORD: nats.password };
  program = await recipe.start({ VOXBUS_NATS_URL: nats.server.url, ...login });
  const device = await startDevice(programs[0]!.addresses["device"]!, "kitchen", "--no-tools");
  // Dialogue looks for tools every 5 s.
  await vi.waitFor(
    async () => {
      await device.do({ do: "text", text: "we are out of milk" });
      expect(readSentences(await device.turn())).toEqual(["I have put milk on the list."]);
    },
    { timeout: 30_000, interval: 100 },
  );
  expect(JSON.parse(readFileSync(join(recipe.folder, "list.json"), "utf8"))).toEqual(["milk"]);
  await device.end();
  expect(await program.end()).toBe(0);
  expect(program.output()).toBe("ready\n");
});

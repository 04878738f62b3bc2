import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { root } from "../docs/markdown.ts";
import { launchSystem, type LaunchedSystem } from "../e2e/launcher.ts";
import { isAudio, isMessage, startDevice } from "../e2e/scripted-device.ts";
import { openRecipe, type Recipe, type RecipeName, type StartedRecipe, type Step } from "./recipe.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 300_000 });

const run = promisify(execFile);
const cli = `${root}apps/cli/dist/main.js`;
const name = "kitchen-timer";

let nats: NatsServer;
let system: LaunchedSystem;
let outside: string;
beforeAll(async () => {
  // Outside of the repository, so that nothing is found in its node_modules.
  outside = mkdtempSync(join(tmpdir(), "voxbus-new-"));
  nats = await startNatsServer();
  system = await launchSystem({ env: { VOXBUS_NATS_URL: nats.url } });
});
afterAll(async () => {
  await system?.close();
  await nats?.stop();
  rmSync(outside, { recursive: true, force: true });
});

/** Reads the commands of the program's own page: fetch, test, run. */
function readCommands(folder: string): readonly Step[] {
  const blocks = [...readFileSync(join(folder, "README.md"), "utf8").matchAll(/^```sh\n([^]*?)^```$/gm)];
  const texts = blocks.map(([, text = ""]) => text);
  return (["install", "run", "start"] as const).map((kind, at) => ({ kind, name: "", text: texts[at] ?? "" }));
}

/** Writes a new program and fetches its packages. */
async function prepare(lang: string, recipe: RecipeName): Promise<Recipe> {
  const folder = mkdtempSync(join(outside, `${lang}-`));
  await run(process.execPath, [cli, "new", name, "--lang", lang], { cwd: folder });
  const program = join(folder, name);
  return openRecipe(recipe, program, readCommands(program));
}

describe.each<[string, RecipeName]>([
  ["ts", "typescript"],
  ["python", "python"],
  ["go", "go"],
])("a new program in %s", (lang, recipeName) => {
  let recipe: Recipe;
  let program: StartedRecipe | undefined;
  beforeAll(async () => {
    recipe = await prepare(lang, recipeName);
  });
  afterAll(() => program?.end());

  test("is tested and built by the commands of its page", async ({ skip }) => {
    skip(recipe.missing !== undefined, recipe.missing);
    expect(await recipe.run()).toMatch(/\b(?:ok|OK|pass)/);
  });

  test("answers a device", async ({ skip }) => {
    skip(recipe.missing !== undefined, recipe.missing);
    program = await recipe.start({ VOXBUS_NATS_URL: nats.url });
    const device = await startDevice(system.devices[0]!, `new-${lang}`);
    await device.do({ do: "text", text: "open the door" });
    await device.next(isMessage({ type: "tts", state: "sentence_start", text: "The door is open." }));
    await device.next(isAudio);
    await device.end();
    expect(await program.end()).toBe(0);
  });
});

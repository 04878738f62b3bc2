import { writeWav } from "@voxbus/audio";
import { startModelServer, type ModelServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "../e2e/launcher.ts";
import { readSentences, startDevice, type ScriptedDevice } from "../e2e/scripted-device.ts";
import { isSkipped, openBrowser, type Browser } from "./browser.ts";

vi.setConfig({ testTimeout: 60_000 });

let model: ModelServer;
let system: LaunchedSystem;
let device: ScriptedDevice;
let browser: Browser;

beforeAll(async () => {
  if (isSkipped) return;
  model = await startModelServer({
    chat: () => ["Fine."],
    speak: () => writeWav({ sampleRate: 24_000, samples: new Int16Array(2400) }),
  });
  system = await launchSystem({
    env: {
      VOXBUS_LLM_ENGINE: "openai",
      VOXBUS_LLM_URL: model.url,
      VOXBUS_TTS_ENGINE: "openai",
      VOXBUS_TTS_URL: model.url,
    },
  });
  device = await startDevice(system.devices[0]!, "lamp", "--no-tools");
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  await device?.end();
  await system?.close();
  await model?.close();
});

/** Opens the page with a card "Character", and waits for what is stored. */
async function open(path: string) {
  const { page } = browser;
  await page.goto("about:blank");
  await page.goto(`${system.monitor}#/${path}`);
  await page.getByText(/nothing set here|revision/).waitFor();
  return page;
}

/** Asks the device's model a question. Returns its answer, the prompt, and the voice that spoke it. */
async function ask(text: string) {
  await device.do({ do: "text", text });
  const said = readSentences(await device.turn());
  // On a busy machine other sentences may be spoken, too.
  const spoken = model.requests.speech.findLast(({ input }) => input === said[0]);
  return { said, prompt: model.requests.chat.at(-1)?.messages[0]?.content, voice: spoken?.voice };
}

test.skipIf(isSkipped)(
  "character: what the fleet and a group set reaches the next turn of a device in the group",
  async () => {
    const page = await open("character");
    await page.getByLabel("Name of the assistant").fill("Ada");
    await page.getByLabel("Instructions for the model").fill("You are {name}, in the {place}.");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved.").waitFor();

    await open("character/hall");
    await page.getByLabel("Place of the device").fill("hall");
    await page.getByLabel("Voice").fill("nova");
    await page.getByLabel("Instructions for the model").fill("You are {stranger}.");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("unknown variables: {stranger}").waitFor();
    await page.getByLabel("Clear Instructions for the model").click();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved.").waitFor();

    await open("fleet/lamp");
    await page.getByText("More settings").click();
    await page.getByLabel("Group", { exact: true }).fill("hall");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("from the group hall").first().waitFor();
    expect(await page.getByText("from the fleet", { exact: true }).count()).toBe(2);
    expect(await ask("who are you")).toMatchObject({
      said: ["Fine."],
      prompt: expect.stringContaining("You are Ada, in the hall."),
      voice: "nova",
    });
  },
);

test.skipIf(isSkipped)("character: a voice is tried on the device before it is saved", async () => {
  const page = await open("fleet/lamp");
  await page.getByLabel("Voice").fill("echo");
  await page.getByLabel("What it says at once").fill("This is a test.");
  await page.getByRole("button", { name: "Try" }).click();
  expect(readSentences(await device.turn())).toEqual(["This is a test."]);
  expect((await ask("who are you")).voice).toBe("echo");
  await page.getByRole("button", { name: "End the trial" }).click();
  await page.getByText("The trial has ended.").waitFor();
  expect((await ask("who are you")).voice).not.toBe("echo");
  const stored = await fetch(`${system.monitor}api/profiles/devices/lamp`);
  expect(await stored.json()).toMatchObject({ own: { group: "hall" }, profile: { voice: "nova" } });
});

test.skipIf(isSkipped)("levels: turns are answered while the levels that apply to them come and go", async () => {
  const headers = { "content-type": "application/json" };
  const over = new AbortController();
  const change = async (path: string) => {
    for (let n = 0; !over.signal.aborted; n += 1) {
      const method = n % 2 === 0 ? "DELETE" : "PATCH";
      const body = JSON.stringify({ name: String(n), ...(path.startsWith("devices") && { group: "hall" }) });
      const answer = await fetch(`${system.monitor}api/profiles/${path}`, { method, headers, body });
      expect(answer.status).toBe(200);
    }
  };
  const changing = Promise.all(["fleet", "groups/hall", "devices/lamp"].map(change));
  for (let n = 0; n < 5; n += 1) expect((await ask("who are you")).said).toEqual(["Fine."]);
  over.abort();
  await changing;
});

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readWav, writeWav } from "@voxbus/audio";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "../e2e/launcher.ts";
import { createRecognizer, decoys } from "../e2e/recognizer.ts";
import { isSkipped, openBrowser, type Browser } from "./browser.ts";
import { recordSpeaker, readPlayed } from "./played.ts";

vi.setConfig({ testTimeout: 60_000 });

const spoken = "that is twelve";

let system: LaunchedSystem;
let browser: Browser;
let directory: string;

/** Writes a recording of samples by their names, and of seconds of silence. Gives its path. */
async function record(...parts: readonly (string | number)[]): Promise<string> {
  const samples = parts.map(async (part) => {
    if (typeof part === "number") return Array.from({ length: 16_000 * part }, () => 0);
    return [...readWav(await readFile(new URL(`../../../samples/${part}.wav`, import.meta.url))).samples];
  });
  const file = join(directory, `${parts.join("-")}.wav`);
  await writeFile(
    file,
    writeWav({ sampleRate: 16_000, samples: Int16Array.from((await Promise.all(samples)).flat()) }),
  );
  return file;
}

/** A question, some time after the microphone is opened: a busy machine loses the first sound. */
const recordQuestion = () => record(3, "sum");

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "voxbus-talk-"));
  if (!isSkipped) system = await launchSystem();
});
afterEach(async () => {
  await browser.close();
  expect(browser.complaints).toEqual([]);
});
afterAll(async () => {
  await system?.close();
  await rm(directory, { recursive: true });
});

test.skipIf(isSkipped)("talk: a spoken question is answered aloud, with the timing of the turn", async () => {
  browser = await openBrowser({ microphone: await recordQuestion() });
  const recognize = await createRecognizer([spoken, ...decoys]);
  const { page } = browser;
  await recordSpeaker(page);
  await page.goto(system.monitor);
  await page.getByRole("button", { name: "Talk", exact: true }).click();
  await page.getByText("what is seven plus five", { exact: true }).nth(1).waitFor();
  const turn = page.locator(".exchange").first();
  await turn.locator(".answer", { hasText: "That is 12." }).waitFor();
  await page.getByText("Listening").waitFor();
  for (const part of ["first sound after", "recognition", "thinking", "synthesis", "playback"]) {
    await turn.getByText(new RegExp(`${part} [\\d.]+ m?s`)).waitFor();
  }
  expect(recognize(await readPlayed(page))).toBe(spoken);
});

test.skipIf(isSkipped)(
  "talk: without permission for a microphone the page says so, and typing works; typed markup stays text",
  async () => {
    browser = await openBrowser();
    const { page } = browser;
    await page.goto(system.monitor);
    await page.getByRole("button", { name: "Talk", exact: true }).click();
    await page.getByText(/may not use the microphone|No microphone was found/).waitFor();
    const typed = page.getByRole("textbox", { name: "Or type a question" });
    await typed.fill("<img src=x onerror=alert(1)> what is nine times eight");
    await typed.press("Enter");
    await page.locator(".question", { hasText: "<img src=x" }).waitFor();
    expect(await page.locator(".exchange img").count()).toBe(0);
    await page.getByRole("button", { name: "Talk", exact: true }).waitFor();
    await typed.fill("what is seven plus five");
    await typed.press("Enter");
    await page.locator(".answer", { hasText: "That is 12." }).waitFor();
  },
);

test.skipIf(isSkipped)("talk: stop silences a story at once, and the next question is answered", async () => {
  browser = await openBrowser();
  const { page } = browser;
  await page.goto(system.monitor);
  await page.getByRole("button", { name: "tell me a long story" }).click();
  await page.locator(".orb.speaking").waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("stopped").waitFor();
  await page.getByRole("button", { name: "Talk", exact: true }).waitFor();
  await page.getByRole("button", { name: "what is seven plus five" }).click();
  await page.locator(".answer", { hasText: "That is 12." }).waitFor();
});

test.skipIf(isSkipped)("talk: the assistant switches this browser's lamp with its tools", async () => {
  browser = await openBrowser();
  const { page } = browser;
  await page.goto(system.monitor);
  await page.getByRole("button", { name: "turn the light on" }).click();
  await page.getByText("The lamp is on").waitFor();
});

test.skipIf(isSkipped)("talk: a user who may interrupt is answered in mid-story", async () => {
  browser = await openBrowser({ microphone: await record("story", 6, "sum") });
  const { page } = browser;
  await page.goto(system.monitor);
  await page.getByLabel("Let me interrupt by speaking").check();
  await page.getByRole("button", { name: "Talk", exact: true }).click();
  await page.locator(".answer", { hasText: "Once upon a time" }).waitFor();
  await page.locator(".answer", { hasText: "That is 12." }).waitFor();
  expect(await page.locator(".answer").first().textContent()).not.toContain("the end of the story");
});

test.skipIf(isSkipped)(
  "talk: the page reconnects after its gateway died, and the next question is answered",
  async () => {
    browser = await openBrowser();
    const { page, complaints } = browser;
    await page.goto(system.monitor);
    await page.getByRole("button", { name: "what is seven plus five" }).click();
    await page.locator(".answer", { hasText: "That is 12." }).waitFor();
    await page.locator(".orb.ready").waitFor();
    const back = system.awaitLine(/gateway restarted/);
    process.kill(system.processes("apps/gateway/")[0]!.pid, "SIGKILL");
    await page.getByText("The connection to the gateway was lost.").waitFor();
    // A question waits for the connection.
    const field = page.getByRole("textbox", { name: "Or type a question" });
    await field.fill("what is nine times eight");
    await field.press("Enter");
    await back;
    await page.locator(".answer", { hasText: "That is 72." }).waitFor();
    expect(await field.inputValue()).toBe("");
    await page.locator(".orb.ready").waitFor();
    await page.getByRole("button", { name: "turn the light on" }).click();
    await page.locator(".answer", { hasText: "The light is on." }).waitFor();
    expect(await page.locator(".exchange").count()).toBe(3);
    forgive(complaints, "ERR_CONNECTION_REFUSED");
  },
);

test.skipIf(isSkipped)(
  "talk: without a gateway the page says so, and keeps the question until it is sent",
  async () => {
    browser = await openBrowser();
    const { page, complaints } = browser;
    await page.route("**/xiaozhi/ota/**", (route) => route.abort());
    await page.goto(system.monitor);
    const field = page.getByRole("textbox", { name: "Or type a question" });
    await page.getByRole("button", { name: "tell me a joke" }).click();
    await page.getByText(/No gateway can be reached/).waitFor();
    await page.getByText("Your question was not sent.").waitFor();
    expect(await field.inputValue()).toBe("tell me a joke");
    await field.fill("what is seven plus five");
    await field.press("Enter");
    await page.getByText("Your question was not sent.").waitFor();
    expect(await field.inputValue()).toBe("what is seven plus five");
    await page.unroute("**/xiaozhi/ota/**");
    await field.press("Enter");
    await page.locator(".answer", { hasText: "That is 12." }).waitFor();
    expect(await field.inputValue()).toBe("");
    expect(await page.locator(".exchange").count()).toBe(1);
    expect(await page.getByText("Your question was not sent.").count()).toBe(0);
    forgive(complaints, "ERR_FAILED");
  },
);

test.skipIf(isSkipped)(
  "talk: a question that the gateway did not take before it went away is asked again",
  async () => {
    browser = await openBrowser();
    const { page } = browser;
    let isLost = false;
    await page.routeWebSocket(/xiaozhi/, (client) => {
      const server = client.connectToServer();
      client.onMessage((message) => {
        if (isLost || !String(message).includes('"detect"')) return server.send(message);
        isLost = true;
        void client.close({ code: 1012, reason: "restart" });
      });
    });
    await page.goto(system.monitor);
    await page.getByRole("button", { name: "what is seven plus five" }).click();
    await page.locator(".answer", { hasText: "That is 12." }).waitFor();
    expect(isLost).toBe(true);
    expect(await page.locator(".exchange").count()).toBe(1);
  },
);

test.skipIf(isSkipped)(
  "talk: a question that is typed while the microphone is open is answered in the same session",
  async () => {
    browser = await openBrowser({ microphone: await recordQuestion() });
    const { page } = browser;
    let sessions = 0;
    page.on("websocket", (socket) => (sessions += Number(socket.url().includes("xiaozhi"))));
    await page.goto(system.monitor);
    await page.getByRole("button", { name: "Talk", exact: true }).click();
    await page.locator(".answer", { hasText: "That is 12." }).waitFor();
    await page.getByText("Listening").waitFor();
    const field = page.getByRole("textbox", { name: "Or type a question" });
    await field.fill("what is nine times eight");
    await field.press("Enter");
    await page.locator(".answer", { hasText: "That is 72." }).waitFor();
    await page.getByText("Listening").waitFor();
    expect(sessions).toBe(1);
  },
);

/** Removes the complaints that contain `text`: the browser reports a request that the test broke. */
function forgive(complaints: string[], text: string): void {
  complaints.splice(0, complaints.length, ...complaints.filter((one) => !one.includes(text)));
}

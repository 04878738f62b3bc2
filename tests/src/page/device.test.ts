import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "../e2e/launcher.ts";
import { startDevice, type ScriptedDevice } from "../e2e/scripted-device.ts";
import { isSkipped, openBrowser, type Browser } from "./browser.ts";

vi.setConfig({ testTimeout: 60_000 });

const token = "open sesame, please";
const authorization = `Bearer ${token}`;

let system: LaunchedSystem;
let device: ScriptedDevice;
let browser: Browser;

beforeAll(async () => {
  if (isSkipped) return;
  system = await launchSystem({ env: { VOXBUS_MONITOR_TOKEN: token } });
  device = await startDevice(system.devices[0]!, "kitchen", "--no-tools");
});
afterEach(() => browser?.close());
afterAll(async () => {
  await device?.end();
  await system?.close();
});

/** Opens the device's page and enters the token. */
async function openDevice() {
  browser = await openBrowser();
  const { page } = browser;
  await page.goto(`${system.monitor}#/fleet/kitchen`);
  await page.getByLabel("Operator token").fill(token);
  await page.getByRole("button", { name: "Use token" }).click();
  await page.getByText("active", { exact: true }).waitFor();
  return page;
}

test.skipIf(isSkipped)(
  "token: a wrong token is refused, and the right one opens the page and stays in the tab",
  async () => {
    browser = await openBrowser();
    const { page } = browser;
    await page.goto(`${system.monitor}#/fleet`);
    await page.getByLabel("Operator token").fill("wrong");
    await page.getByRole("button", { name: "Use token" }).click();
    await page.getByRole("alert").getByText("refused").waitFor();
    await page.getByLabel("Operator token").fill(token);
    await page.getByRole("button", { name: "Use token" }).click();
    await page.getByRole("link", { name: "kitchen" }).waitFor();
    expect(await page.getByLabel("Operator token").count()).toBe(0);
    await page.reload();
    await page.getByRole("link", { name: "kitchen" }).waitFor();
  },
);

test.skipIf(isSkipped)("device: a turn appears as it happens, with its times but without its words", async () => {
  const page = await openDevice();
  await device.do({ do: "wav", file: "samples/sum.wav" });
  await device.turn();
  await page.getByText("played").first().waitFor();
  const bars = await page.locator(".track").first().getAttribute("aria-label");
  expect(bars).toMatch(/^speech .*, recognition .*, thinking .*, synthesis .*, playback /);
  const engines = await page.getByTitle("Engines that heard, answered and spoke").first().innerText();
  expect(engines).toBe("embedded · embedded · embedded");
  await page.getByText("VOXBUS_MONITOR_TRANSCRIPTS").waitFor();
  const events = page.getByRole("region", { name: "Events since this page opened" });
  await events.getByText("listens until silence").first().waitFor();
  expect(await page.locator("main").innerText()).not.toMatch(/seven plus five|That is 12/);
});

test.skipIf(isSkipped)("device: an announcement of the operator is spoken", async () => {
  const page = await openDevice();
  await page.getByLabel("Text to speak once the device is silent").fill("Dinner is ready.");
  await page.getByRole("button", { name: "Announce" }).click();
  await page.getByText("Sent.").waitFor();
  await page.getByText("Sent.").waitFor({ state: "detached" });
  const turn = await device.turn();
  expect(JSON.stringify(turn)).toContain("Dinner is ready.");
});

test.skipIf(isSkipped)("profile: a change is saved, and a change of an older revision is refused", async () => {
  const page = await openDevice();
  const path = `${system.monitor}api/devices/kitchen/profile`;
  const zone = page.getByRole("textbox", { name: "Time zone" });
  await page.getByText("nothing set here").waitFor();
  await page.getByText("More settings").click();
  await zone.fill("Europe/Berlin");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  await zone.fill("Europe/Berlin ");
  expect(await page.getByText("Saved.").count()).toBe(0);
  const answer = await fetch(path, { headers: { authorization } });
  const { revision, own } = (await answer.json()) as { readonly revision: number; readonly own: object };
  expect(own).toEqual({ timeZone: "Europe/Berlin" });

  const body = JSON.stringify({ timeZone: "Asia/Shanghai", lead: 3 });
  const headers = { authorization, "content-type": "application/json", "if-match": `"${revision}"` };
  expect((await fetch(path, { method: "PUT", headers, body })).status).toBe(200);
  expect((await fetch(path, { method: "PUT", headers, body })).status).toBe(409);
  await zone.fill("Europe/Paris");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("The profile was changed elsewhere").waitFor();
  expect(await zone.inputValue()).toBe("Asia/Shanghai");
});

test.skipIf(isSkipped)("device: disconnect asks first, then closes the session", async () => {
  const page = await openDevice();
  await page.getByRole("button", { name: "Disconnect", exact: true }).click();
  await page.getByRole("button", { name: "Close session" }).click();
  await page.getByText("offline").waitFor();
});

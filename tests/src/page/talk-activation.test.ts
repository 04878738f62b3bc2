import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "../e2e/launcher.ts";
import { auditPage } from "./audit.ts";
import { isSkipped, openBrowser, type Browser } from "./browser.ts";

vi.setConfig({ testTimeout: 60_000 });

let system: LaunchedSystem;
let browser: Browser;

beforeAll(async () => {
  if (isSkipped) return;
  system = await launchSystem({
    env: { VOXBUS_AUTH: "hmac", VOXBUS_AUTH_KEY: "a-key-of-sixteen-or-more", VOXBUS_ACTIVATION: "code" },
  });
});
beforeEach(async () => {
  if (!isSkipped) browser = await openBrowser();
});
afterEach(async () => {
  await browser?.close();
  expect(browser?.complaints ?? []).toEqual([]);
});
afterAll(() => system?.close());

/** Asks a question, and returns the code that the page shows. */
async function readCode(): Promise<string> {
  const { page } = browser;
  await page.goto(system.monitor);
  await page.getByRole("button", { name: "what is seven plus five" }).click();
  await page.getByText("Waiting to be let in").waitFor();
  return page.locator(".activation strong").innerText();
}

test.skipIf(isSkipped)("talk: a browser shows its code, is let in by it, is answered, and stays let in", async () => {
  const queries: string[] = [];
  const { page } = browser;
  page.on("request", (request) => {
    const { pathname, search } = new URL(request.url());
    if (pathname.includes("/ota/") && search) queries.push(search);
  });
  const code = await readCode();
  // The wait goes on when a gateway is busy for a moment.
  await page.route("**/ota/activate", (route) => route.fulfill({ status: 503 }), { times: 1 });
  await page.waitForResponse((response) => response.status() === 503);
  await page.waitForResponse((response) => response.status() === 202);
  expect(browser.complaints.splice(0)).toEqual([expect.stringContaining("503")]);
  expect(queries).toEqual([]);
  expect(code).toMatch(/^\d{3} \d{3}$/);
  expect(await auditPage(page)).toEqual([]);
  await page.getByRole("alert").getByRole("link", { name: "Fleet" }).click();
  await page.getByLabel("Code on the device").fill(code);
  await page.getByRole("button", { name: "Let in" }).click();
  await page.locator(".waiting").waitFor({ state: "detached" });
  await page.getByRole("link", { name: "Talk" }).click();
  await page.locator(".answer", { hasText: "That is 12." }).waitFor();
  expect(await page.locator(".activation").count()).toBe(0);

  await page.reload();
  await page.getByRole("button", { name: "what is seven plus five" }).click();
  await page.locator(".answer", { hasText: "That is 12." }).waitFor();
});

test.skipIf(isSkipped)("talk: the wait for an operator ends when the user cancels it, and begins again", async () => {
  const code = await readCode();
  const { page } = browser;
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("This browser was not let in.").waitFor();
  expect(await page.getByRole("textbox", { name: "Or type a question" }).inputValue()).toBe("what is seven plus five");
  await page.getByRole("button", { name: "Ask" }).click();
  expect(await page.locator(".activation strong").innerText()).toBe(code);
});

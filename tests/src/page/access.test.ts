/// <reference lib="dom" />
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "../e2e/launcher.ts";
import { startDevice, type ScriptedDevice } from "../e2e/scripted-device.ts";
import { auditPage } from "./audit.ts";
import { isSkipped, openBrowser, type Browser } from "./browser.ts";

vi.setConfig({ testTimeout: 60_000 });

let system: LaunchedSystem;
let device: ScriptedDevice;
let browser: Browser;

beforeAll(async () => {
  if (isSkipped) return;
  // Every program raises an alert.
  system = await launchSystem({
    env: { VOXBUS_MONITOR_MAX_MEMORY_MB: "10", VOXBUS_MONITOR_INTERVAL_MS: "500" },
  });
  device = await startDevice(system.devices[0]!, "porch", "--no-tools");
  await device.do({ do: "text", text: "what time is it" });
  await device.turn();
});
afterEach(async () => {
  await browser.close();
  expect(browser.complaints).toEqual([]);
});
afterAll(async () => {
  await device?.end();
  await system?.close();
});

const pages = [
  ["#/talk", "This conversation"],
  ["#/fleet", "porch"],
  ["#/fleet/porch", "nothing set here"],
  ["#/character", "nothing set here"],
  ["#/system", "of memory."],
] as const;

test.skipIf(isSkipped).each([
  ["light", 1280],
  ["dark", 1280],
  ["light", 768],
  ["light", 320],
  ["dark", 320],
] as const)("access: every page has names, labels, headings and contrast (%s, %i wide)", async (colorScheme, width) => {
  browser = await openBrowser({ viewport: { width, height: 844 } });
  const { page } = browser;
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  await page.goto(system.monitor);
  const found: Record<string, readonly string[]> = {};
  const texts: string[] = [];
  for (const [hash, text] of pages) {
    await page.evaluate((hash) => (location.hash = hash), hash);
    await page.getByText(text).first().waitFor();
    found[hash] = await auditPage(page);
    texts.push(await page.locator("main").innerText());
  }
  expect(found).toEqual(Object.fromEntries(pages.map(([hash]) => [hash, []])));
  // Words instead of the names that programs use among themselves.
  expect(texts.join("\n")).not.toMatch(/DEVICE_IN|TURNS|-trend|-rate|-p9\d|undefined|NaN|Infinity|\[object/);
});

test.skipIf(isSkipped)("access: Tab visits the controls in reading order, and the focus is visible", async () => {
  browser = await openBrowser();
  const { page } = browser;
  await page.goto(system.monitor);
  await page.getByText("This conversation").waitFor();
  const order: string[] = [];
  for (let steps = 0; steps < 11; steps++) {
    await page.keyboard.press("Tab");
    const [text, outline] = await page.evaluate(() => {
      const at = document.activeElement as HTMLElement;
      const label =
        at instanceof HTMLInputElement || at instanceof HTMLSelectElement
          ? at.labels?.[0]?.textContent
          : at.textContent;
      return [label?.trim() ?? "", getComputedStyle(at).outlineStyle] as const;
    });
    expect(outline).toBe("solid");
    order.push(text);
  }
  expect(order.map((text) => text.replace(/(Theme|Language).*/, "$1"))).toEqual([
    "Skip to content",
    "voxbus",
    "Talk",
    "Fleet",
    "Character",
    "System",
    "Theme",
    "Language",
    "Talk",
    "Or type a question",
    "Ask",
  ]);
});

test.skipIf(isSkipped)("access: following a link moves the focus to the page that it opens", async () => {
  browser = await openBrowser();
  const { page } = browser;
  await page.goto(system.monitor);
  await page.getByRole("link", { name: "System" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "System" }).waitFor();
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("MAIN");
  expect(await page.title()).toBe("System · voxbus");
});

test.skipIf(isSkipped)("language: it follows the browser, and a choice lasts", async () => {
  browser = await openBrowser({ locale: "zh-CN" });
  const { page } = browser;
  await page.goto(`${system.monitor}#/system`);
  await page.getByRole("heading", { level: 1, name: "系统" }).waitFor();
  expect(await page.locator("html").getAttribute("lang")).toBe("zh-CN");
  await page.getByLabel("语言").selectOption("en");
  await page.getByRole("heading", { level: 1, name: "System" }).waitFor();
  await page.getByLabel("Theme").selectOption("dark");
  await page.reload();
  await page.getByRole("heading", { level: 1, name: "System" }).waitFor();
  expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
});

test.skipIf(isSkipped)(
  "access: the audit finds missing names, labels, headings and contrast, and what is cut off",
  async () => {
    browser = await openBrowser();
    const { page } = browser;
    await page.goto(`${system.monitor}#/fleet`);
    await page.getByText("porch").first().waitFor();
    await page.evaluate(() => {
      document.documentElement.style.setProperty("--muted", "#c8c8c8");
      document.querySelector("input[type=search]")!.closest("label")!.replaceWith(document.createElement("input"));
      document.querySelector("h1")!.remove();
      document.querySelector("select")!.style.width = "60px";
      document.querySelectorAll("select")[1]!.style.cssText = "position: relative; left: 400px";
    });
    const found = (await auditPage(page)).join("\n");
    expect(found).toMatch(/has a contrast of 1\.\d+: <span/);
    expect(found).toContain("has no label: <input");
    expect(found).toContain("has no name: <input");
    expect(found).toContain("has 0 h1 headings");
    expect(found).toMatch(/has too little room for its text: <select class=""> ◐ auto/);
    expect(found).toMatch(/is cut off at the right: <select class=""> English/);
  },
);

import { buckets } from "@voxbus/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { isSkipped, openBrowser, type Browser } from "./browser.ts";
import { startMonitor, type MonitorProcess } from "./monitor-page.ts";

vi.setConfig({ testTimeout: 60_000 });

let monitor: MonitorProcess;
let browser: Browser;

beforeAll(async () => {
  if (isSkipped) return;
  monitor = await startMonitor();
  browser = await openBrowser();
  await browser.page.goto(`${monitor.page}#/fleet`);
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await monitor?.close();
});

test.skipIf(isSkipped)("a device that waits: is shown, is let in by its code, and its update is shown", async () => {
  const { page } = browser;
  const { bus } = monitor;
  const id = "02:00:00:00:00:01";
  const token = { hash: "h".repeat(43), renewAt: 5, until: 6 };
  const about = { device: id, token, challenge: "c", remote: "10.0.0.7", board: "lamp" };
  await bus.bucket(buckets.activations).put("123456", { ...about, at: bus.now() });
  await page.getByText("Waiting for a code: 1").waitFor();
  const seenBefore = { lastSeen: bus.now(), lastReason: "gone", totalOnline: 5 };
  await bus.bucket(buckets.devices).put("attic", seenBefore);
  await page.getByRole("link", { name: "attic" }).waitFor();
  await page.setViewportSize({ width: 390, height: 844 });
  // The table keeps its room beside the form.
  expect((await page.getByRole("table").boundingBox())?.height).toBeGreaterThan(300);
  await page.setViewportSize({ width: 1280, height: 860 });
  expect(await page.locator(".waiting").innerText()).toMatch(/02:00:00:00:00:01.*lamp · 10\.0\.0\.7/);
  await page.getByLabel("Code on the device").fill("000000");
  await page.getByRole("button", { name: "Let in" }).click();
  await page.getByText("no device waits with this code").waitFor();
  await page.getByLabel("Code on the device").fill("123 456");
  await page.getByLabel("Name").fill("Hall");
  await page.getByRole("button", { name: "Let in" }).click();
  await page.locator(".waiting").waitFor({ state: "detached" });
  const update = { version: "2.5.0", state: "downloading", percent: 40, at: bus.now() } as const;
  const seen = { lastSeen: bus.now(), lastReason: "gone", totalOnline: 5, firmware: "2.4.2", board: "lamp", update };
  await bus.bucket(buckets.devices).put(id, seen);
  await page.getByRole("link", { name: "Hall" }).click();
  await page.getByText("2.5.0, 40 % sent").waitFor();
  expect(browser.complaints.filter((line) => !line.includes("404"))).toEqual([]);
});

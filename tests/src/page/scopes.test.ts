import { createRegistry, type Registry } from "@voxbus/presence";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { isSkipped, openBrowser, type Browser } from "./browser.ts";
import { startMonitor, type MonitorProcess } from "./monitor-page.ts";

vi.setConfig({ testTimeout: 60_000 });

const operator = "open sesame, please";

let monitor: MonitorProcess;
let registry: Registry;
let browser: Browser;

beforeAll(async () => {
  if (isSkipped) return;
  monitor = await startMonitor({ VOXBUS_MONITOR_TOKEN: operator }, async (bus) => {
    const load = () => ({ connections: 1, speaking: 0 });
    registry = await createRegistry(bus, { id: "g1", epoch: "e1", address: "", load });
    const session = {
      session: "s1",
      since: 1,
      remote: "10.0.0.7",
      protocol: 1,
      features: {},
      state: "active",
    } as const;
    await registry.enter("kitchen", session, AbortSignal.timeout(20_000));
  });
}, 60_000);
afterEach(async () => {
  await browser?.close();
  expect(browser?.complaints.filter((line) => !line.includes("401")) ?? []).toEqual([]);
});
afterAll(async () => {
  await registry?.close();
  await monitor?.close();
});

/** Opens the device's page with a token. Without a scope it is the operator's. */
async function openDevice(scope?: string) {
  browser = await openBrowser();
  const { page } = browser;
  await page.goto(`${monitor.page}#/fleet/kitchen`);
  await page.getByLabel("Operator token").fill(scope === undefined ? operator : await createToken(scope));
  await page.getByRole("button", { name: "Use token" }).click();
  await page.getByText("nothing set here").waitFor();
  const button = (name: string) => page.getByRole("button", { name, exact: true });
  const openFleet = () => page.getByRole("link", { name: "Fleet" }).first().click();
  return { page, button, openFleet };
}

async function createToken(scope: string): Promise<string> {
  const headers = { authorization: `Bearer ${operator}`, "content-type": "application/json" };
  const body = JSON.stringify({ name: `only-${scope}`, scope });
  const answer = await fetch(`${monitor.page}api/tokens`, { method: "POST", headers, body });
  return ((await answer.json()) as { readonly token: string }).token;
}

test.skipIf(isSkipped)(
  "scope read: buttons that act on devices are disabled and say why, the others work",
  async () => {
    const { page, button, openFleet } = await openDevice("read");
    await page.getByText("The token only-read has the scope read.").waitFor();
    for (const name of ["Announce", "Disconnect", "Save", "Try"]) {
      expect(await button(name).isDisabled()).toBe(true);
      expect(await button(name).getAttribute("title")).toBe(
        "This needs a token with the scope control. Yours has read.",
      );
    }
    await openFleet();
    for (const name of ["Add a device", "Announce", "Import"]) expect(await button(name).isDisabled()).toBe(true);
    expect(await button("Export CSV").isEnabled()).toBe(true);
  },
);

test.skipIf(isSkipped)("scope control: only what needs admin is disabled", async () => {
  const { page, button, openFleet } = await openDevice("control");
  await page.getByText("The token only-control has the scope control.").waitFor();
  for (const name of ["Announce", "Disconnect", "Save"]) expect(await button(name).isEnabled()).toBe(true);
  await openFleet();
  await button("Change kitchen").click();
  expect(await button("Save").isEnabled()).toBe(true);
  expect(await button("Remove").getAttribute("title")).toMatch("needs a token with the scope admin");
});

test.skipIf(isSkipped)("scope admin: every button is enabled", async () => {
  const { page, button, openFleet } = await openDevice();
  expect(await button("Announce").isEnabled()).toBe(true);
  await openFleet();
  await button("Change kitchen").click();
  expect(await button("Remove").isEnabled()).toBe(true);
  expect(await page.getByText(/has the scope/).count()).toBe(0);
});

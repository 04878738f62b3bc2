/// <reference lib="dom" />
import { readFile } from "node:fs/promises";
import type { Bus } from "@voxbus/bus";
import { buckets, type GatewayLease, type Presence } from "@voxbus/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { isSkipped, openBrowser, type Browser } from "./browser.ts";
import { startMonitor, type MonitorProcess } from "./monitor-page.ts";

vi.setConfig({ testTimeout: 60_000 });

const count = 10_000;
const bound = 100;
const gateways = ["hall-8000", "hall-8001", "attic-8000"];
const states = ["active", "active", "idle", "suspicious"] as const;

let monitor: MonitorProcess;
let browser: Browser;
let leases: ReturnType<typeof setInterval>;

const nameDevice = (index: number) => `device-${String(index).padStart(5, "0")}`;

async function holdLeases(bus: Bus): Promise<void> {
  for (const id of gateways) {
    const lease: GatewayLease = {
      id,
      epoch: "1",
      address: "http://127.0.0.1:8000",
      load: { connections: 0, speaking: 0 },
      draining: false,
      since: 1,
    };
    await bus.bucket(buckets.gateways).put(id, lease);
  }
}

async function fillPresence(bus: Bus): Promise<void> {
  const bucket = bus.bucket(buckets.presence);
  const since = Date.now();
  for (let from = 0; from < count; from += 1000) {
    const part = Array.from({ length: 1000 }, (_, at) => from + at);
    await Promise.all(
      part.map((index) => {
        const presence: Presence = {
          term: 1,
          gateway: gateways[index % 3]!,
          epoch: "1",
          session: `s${index}`,
          since: since - index * 1000,
          remote: `10.0.${index % 250}.${index % 200}`,
          protocol: 1,
          features: {},
          state: states[index % 4]!,
        };
        return bucket.put(nameDevice(index), presence);
      }),
    );
  }
}

beforeAll(async () => {
  if (isSkipped) return;
  monitor = await startMonitor({}, async (bus) => {
    await holdLeases(bus);
    leases = setInterval(() => void holdLeases(bus), 3000);
    await fillPresence(bus);
  });
  browser = await openBrowser();
  await browser.page.goto(`${monitor.page}#/fleet`);
  await browser.page.getByText("10\u{202f}000 online").waitFor();
});
afterAll(async () => {
  clearInterval(leases);
  await browser?.close();
  await monitor?.close();
});

/** Types into the search field and returns the time until the next frame is drawn, ms. */
function measureFilter(text: string): Promise<number> {
  return browser.page.evaluate(async (text) => {
    const field = document.querySelector<HTMLInputElement>("input[type=search]")!;
    const began = performance.now();
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise((resolve) => {
      requestAnimationFrame(() => setTimeout(resolve));
    });
    return performance.now() - began;
  }, text);
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];

test.skipIf(isSkipped)(`fleet: filtering and sorting ${count} devices takes under ${bound} ms`, async () => {
  const { page } = browser;
  const status = page.getByRole("status").filter({ hasText: "online" });
  const took: number[] = [];
  for (const [text, shown] of [
    ["device-0", "10\u{202f}000 online"],
    ["07777", "1 of 10\u{202f}000 devices"],
    ["hall 10.0.7", "1\u{202f}067 of"],
    ["nothing like it", "0 of 10\u{202f}000 devices"],
    ["", "10\u{202f}000 online"],
  ] as const) {
    took.push(await measureFilter(text));
    expect(await status.textContent()).toContain(text.includes("hall") ? " of 10" : shown);
  }
  for (const column of ["Seen", "Gateway", "State", "Device"]) {
    await page.getByRole("columnheader", { name: column }).getByRole("button").click();
  }
  const measured = await page.evaluate(() =>
    performance.getEntriesByName("fleet-filter").map(({ duration }) => duration),
  );
  console.log(
    `filtering ${count} devices: ${took.map((ms) => ms.toFixed(0)).join(", ")} ms to the next frame, ` +
      `${measured.map((ms) => ms.toFixed(0)).join(", ")} ms to the page's own commit`,
  );
  // One of them may wait for a core that other programs use.
  expect(median(took)).toBeLessThan(bound);
  expect(median(measured)).toBeLessThan(bound);
  expect(measured.length).toBe(9);
});

test.skipIf(isSkipped)("fleet: only the visible rows exist, and screen readers learn the number of all", async () => {
  const { page } = browser;
  await page.getByRole("searchbox").fill("");
  const table = page.getByRole("table", { name: "Fleet" });
  expect(await table.getAttribute("aria-rowcount")).toBe(String(count + 1));
  expect(await table.getByRole("row").count()).toBeLessThan(60);
});

test.skipIf(isSkipped)("fleet: the keyboard alone reaches the last device and opens it", async () => {
  const { page } = browser;
  await page.getByRole("searchbox").fill("");
  await page.getByRole("link", { name: nameDevice(0) }).focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("PageDown");
  await page.getByRole("link", { name: nameDevice(11) }).waitFor();
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe(nameDevice(11));
  await page.keyboard.press("End");
  await page.getByRole("link", { name: nameDevice(count - 1) }).waitFor();
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe(nameDevice(count - 1));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: nameDevice(count - 1) }).waitFor();
  await page.goBack();
});

test.skipIf(isSkipped)("fleet: a device that connects, changes and disconnects is shown without a reload", async () => {
  const { page } = browser;
  await page.getByRole("searchbox").fill("newcomer");
  const bucket = monitor.bus.bucket(buckets.presence);
  const presence: Presence = {
    term: 1,
    gateway: gateways[0]!,
    epoch: "1",
    session: "s",
    since: Date.now(),
    remote: "10.1.1.1",
    protocol: 1,
    features: {},
    state: "active",
  };
  await bucket.put("newcomer", presence);
  const row = page.getByRole("row").filter({ hasText: "newcomer" });
  await row.getByText("active").waitFor();
  await bucket.put("newcomer", { ...presence, state: "idle" });
  await row.getByText("idle").waitFor();
  await bucket.remove("newcomer");
  await page.getByText("No device matches.").waitFor();
  expect(browser.complaints).toEqual([]);
});

test.skipIf(isSkipped)(
  "fleet: a device that is away is shown, named, disabled and removed without a reload",
  async () => {
    const { page } = browser;
    const lastSeen = Date.now() - 7_300_000;
    await monitor.bus
      .bucket(buckets.devices)
      .put("away-1", { lastSeen, lastReason: "gone", totalOnline: 5, firmware: "2.4.2" });
    await page.getByRole("searchbox").fill("away-1");
    const row = page.getByRole("row").filter({ hasText: "away-1" });
    await row.getByText("2 h 1 min ago").waitFor();
    expect(await row.textContent()).toMatch(/offline.*2\.4\.2/);
    await row.getByRole("button").click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").fill("Porch");
    await dialog.getByLabel("Group").fill("not a group");
    await dialog.getByRole("button", { name: "Save" }).click();
    expect(await dialog.isVisible()).toBe(true);
    await dialog.getByLabel("Group").fill("outside");
    await dialog.getByLabel("Access").selectOption("disabled");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.waitFor({ state: "detached" });
    await row.getByText("Porch").waitFor();
    await row.getByText("disabled").waitFor();
    expect(await row.textContent()).toContain("outside");
    expect((await monitor.bus.bucket(buckets.registry).get("away-1"))?.value).toMatchObject({
      name: "Porch",
      allowed: false,
    });
    // The device's own page calls the state the same.
    await row.getByRole("link").click();
    await page.getByRole("status").getByText("disabled").waitFor();
    await page.goBack();
    await page.getByRole("searchbox").fill("away-1");
    await row.getByRole("button").click();
    await dialog.getByRole("button", { name: "Remove" }).click();
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.getByRole("button", { name: "Remove" }).click();
    await dialog.getByRole("button", { name: "Remove everything" }).click();
    await page.getByText("No device matches.").waitFor();
    expect(await monitor.bus.bucket(buckets.devices).get("away-1")).toBeUndefined();
    expect(browser.complaints).toEqual([]);
  },
);

test.skipIf(isSkipped)(
  "fleet: a file is imported, a bad one is refused by its row, and the export holds what was imported",
  async () => {
    const { page } = browser;
    const choose = (name: string, text: string) =>
      page.getByLabel("Import").setInputFiles({ name, mimeType: "", buffer: Buffer.from(text) });
    await choose("bad.csv", "id,name\nfile-1,One\na b,Two\n");
    await page.getByText("nothing was imported: row 3, id: ").waitFor();
    await choose("good.jsonl", '{"id":"file-1","name":"One"}\n{"id":"file-2"}\n');
    await page.getByText("2 devices imported.").waitFor();
    await page.getByRole("searchbox").fill("file-");
    await page.getByRole("row").filter({ hasText: "file-2" }).getByText("not seen yet").waitFor();
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Export CSV" }).click();
    const file = await (await download).path();
    expect(await readFile(file, "utf8")).toContain("\r\nfile-1,One,,,,offline,");
  },
);

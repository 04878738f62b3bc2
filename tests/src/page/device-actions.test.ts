import { createRegistry, type Registry } from "@voxbus/presence";
import { buckets } from "@voxbus/protocol";
import { endKept } from "@voxbus/subscriber";
import { openMcpDevice } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { auditPage } from "./audit.ts";
import { isSkipped, openBrowser, type Browser } from "./browser.ts";
import { startMonitor, type MonitorProcess } from "./monitor-page.ts";

vi.setConfig({ testTimeout: 60_000 });

const schema = (properties: object) => ({ type: "object", properties, required: Object.keys(properties) });
const tools = [
  {
    name: "self.audio_speaker.set_volume",
    description: "Sets the volume.",
    inputSchema: schema({ volume: { type: "integer", minimum: 0, maximum: 100 } }),
  },
  { name: "self.lamp.set_color", description: "", inputSchema: schema({ color: { type: "array" } }) },
];
const label = "Text to speak once the device is silent";

let monitor: MonitorProcess;
let registry: Registry;
let browser: Browser;

beforeAll(async () => {
  if (isSkipped) return;
  monitor = await startMonitor({}, async (bus) => {
    registry = await createRegistry(bus, {
      id: "g1",
      epoch: "e1",
      address: "",
      load: () => ({ connections: 1, speaking: 0 }),
    });
    const session = { session: "s1", since: Date.now(), remote: "10.0.0.7", protocol: 1, state: "active" } as const;
    await registry.enter("hall", { ...session, features: { mcp: true } }, AbortSignal.timeout(20_000));
    openMcpDevice(bus, { device: "hall", session: "s1" }, ({ method, params }) => {
      if (method === "tools/list") return { result: { tools } };
      return { result: { content: [{ type: "text", text: `called with ${JSON.stringify(params?.["arguments"])}` }] } };
    });
    for (const id of ["attic", "cellar"])
      await bus.bucket(buckets.devices).put(id, { lastSeen: Date.now(), lastReason: "gone", totalOnline: 5 });
    await bus.bucket(buckets.profiles).put("attic", { group: "upstairs" });
  });
  browser = await openBrowser();
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await registry?.close();
  await monitor?.close();
});

test.skipIf(isSkipped)("tools: the device's page lists its tools, calls one, and shows its result", async () => {
  const { page } = browser;
  await page.goto(`${monitor.page}#/fleet/hall`);
  const tool = (name: string) => page.locator(".tools-card details").filter({ hasText: name });
  const volume = tool("set_volume");
  await volume.locator("summary").click();
  expect(await volume.innerText()).toMatch(/Sets the volume\.\s+volume 0–100/);
  await volume.getByRole("spinbutton").fill("40");
  await volume.getByRole("button", { name: "Call" }).click();
  expect(await volume.locator("output").innerText()).toBe('called with {"volume":40}');
  const color = tool("set_color");
  await color.locator("summary").click();
  await color.getByRole("textbox").fill("[1");
  await color.getByRole("button", { name: "Call" }).click();
  await color.getByText("color must be JSON").waitFor();
  await color.getByRole("textbox").fill("[1, 2]");
  await color.getByRole("button", { name: "Call" }).click();
  expect(await color.locator("output").innerText()).toBe('called with {"color":[1,2]}');
  expect(await auditPage(page)).toEqual([]);
  expect(browser.complaints).toEqual([]);
});

test.skipIf(isSkipped)("announcement: it is kept for a device that is away, and its page shows the end", async () => {
  const { page } = browser;
  await page.goto(`${monitor.page}#/fleet/attic`);
  await page.getByText("This device is not online.").waitFor();
  const kept = page.getByRole("region", { name: "Kept announcements" });
  for (const keep of ["1 hour", "7 days"]) {
    await page.getByLabel("Keep it for devices that are away").selectOption(keep);
    await page.getByLabel(label).fill("The cake is ready.");
    await page.getByRole("button", { name: "Announce" }).click();
    await expect.poll(() => page.getByLabel(label).inputValue(), { timeout: 10_000 }).toBe("");
  }
  await page.getByText("Kept. The device is told as soon as it can be reached.").waitFor();
  await expect.poll(() => kept.getByText("waiting").count(), { timeout: 10_000 }).toBe(2);
  expect(await auditPage(page)).toEqual([]);
  await monitor.bus.bucket(buckets.kept).modify("attic", (found) => {
    const [first, second] = found!.messages;
    expect([first, second].map((one) => one!.expiresAt - one!.at)).toEqual([3_600_000, 7 * 24 * 3_600_000]);
    return { messages: [endKept(first!, "told", Date.now()), endKept(second!, "expired", Date.now())] };
  });
  // One failure does not end the reading.
  await page.route("**/messages", (route) => route.fulfill({ status: 503, json: {} }), { times: 1 });
  await kept.getByText("told").waitFor();
  await kept.getByText("expired").waitFor();
  expect(browser.complaints.splice(0)).toEqual([expect.stringContaining("503")]);
});

test.skipIf(isSkipped)("announcement: the page Fleet sends it to every device, and keeps it for a group", async () => {
  const { page } = browser;
  await page.goto(`${monitor.page}#/fleet`);
  await page.getByRole("button", { name: "Announce" }).click();
  const dialog = page.getByRole("dialog");
  const announce = async (said: string) => {
    await dialog.getByLabel(label).fill("It is snowing.");
    // The one before may still be going out.
    await vi.waitFor(async () => {
      await dialog.getByRole("button", { name: "Announce" }).click();
      await dialog.getByText(said).waitFor({ timeout: 2000 });
    }, 20_000);
  };
  await announce("Sent to 1 device.");
  await dialog.getByLabel("Keep it for devices that are away").selectOption("1 day");
  await announce("Kept for 3 devices.");
  await dialog.getByRole("combobox").first().selectOption("upstairs");
  await announce("Kept for 1 device.");
  expect(await auditPage(page)).toEqual([]);
  await dialog.getByRole("button", { name: "Close" }).click();
  expect(await dialog.count()).toBe(0);
  expect(browser.complaints.filter((line) => !line.includes("409"))).toEqual([]);
});

import { connect, type NatsConnection } from "@nats-io/transport-node";
import { channels, encodeEnvelope, type Stats } from "@voxbus/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { z } from "zod";
import { isSkipped, openBrowser, type Browser } from "./browser.ts";
import { startMonitor, type MonitorProcess } from "./monitor-page.ts";

vi.setConfig({ testTimeout: 60_000 });

let monitor: MonitorProcess;
let client: NatsConnection;
let browser: Browser;

beforeAll(async () => {
  if (isSkipped) return;
  monitor = await startMonitor({ VOXBUS_LOG_FORMAT: "json" });
  client = await connect({ servers: monitor.nats });
  browser = await openBrowser();
  await browser.page.goto(`${monitor.page}#/system`);
});
afterAll(async () => {
  await browser?.close();
  await client?.close();
  await monitor?.close();
});

test.skipIf(isSkipped)("system: names the messages that programs dropped, without their values", async () => {
  const { page } = browser;
  await page.getByText("No message was dropped in the last 10 minutes.").waitFor();
  const event = { session: "s1", gateway: "g1", at: 0, state: "a private word" };
  for (let i = 0; i < 3; i += 1) client.publish("device.kitchen.event", encodeEnvelope(z.any(), event));
  client.publish(channels.stats("robot").subject, encodeEnvelope(z.any(), { v: 2, program: "robot" }));
  client.publish(channels.inText("<b>hall</b>").subject, Buffer.from('{"body":"a private word"}'));

  const table = page.getByRole("table").filter({ hasText: "Dropped by" });
  const row = (subject: string) => table.getByRole("row").filter({ hasText: subject });
  await row("device.kitchen.event").waitFor();
  expect(await row("device.kitchen.event").innerText()).toMatch(
    /does not match the bus contract\s+state Invalid option.*\s+gateway g1\s+\d+\s.*monitor/s,
  );
  expect(await row("stats.robot").innerText()).toMatch(/is of a newer version\s+v\b.*\s\d+\s/s);
  expect(await row("device.<b>hall</b>.in.text").innerText()).toMatch(/does not match the bus contract\s+/);
  const told = { at: Date.now(), subject: "device.kitchen.heard", reason: "bad-envelope", field: "text", count: 7 };
  client.publish(channels.error("python").subject, encodeEnvelope(z.any(), told));
  await row("device.kitchen.heard").waitFor();
  expect(await row("device.kitchen.heard").innerText()).toMatch(
    /does not match the bus contract\s+text\s+–\s+7\s.*python/s,
  );
  expect(await page.locator("body").innerText()).not.toContain("private");
  expect(monitor.output()).not.toContain("private");
  expect(monitor.output()).toContain("malformed message skipped");
  if (process.env["PAGE_SHOTS"])
    await page.screenshot({ path: `${process.env["PAGE_SHOTS"]}/system.png`, fullPage: true });
  expect(browser.complaints).toEqual([]);
});

test.skipIf(isSkipped)("system: the map names who listens to whom, also on a narrow screen", async () => {
  const { page } = browser;
  const names = Array.from({ length: 9 }, (_, i) => `weather-${i}`);
  const metadata = {
    voxbus: "program",
    system: "voxbus",
    consumes: "device.<id>.heard",
    produces: "device.<id>.heard",
  };
  client.subscribe("$SRV.INFO", {
    callback(_error, message) {
      for (const name of names) {
        const info = {
          type: "io.nats.micro.v1.info_response",
          name,
          id: name,
          version: "1.4.0",
          metadata,
          endpoints: [{ name: "forecast", subject: "tool.forecast", metadata: {} }],
        };
        message.respond(JSON.stringify(info));
      }
    },
  });
  const skipped = { at: 1, subject: "tool.forecast", reason: "program", count: 1, publisher: "weather-0" };
  const load = { rss: 9e7, heap: 4e7, cpu: 0.3, cores: 2, loopDelay: 2 };
  const about = { program: "dialogue", instance: "dialogue-1", state: "running", host: "hall", pid: 7 } as const;
  const numbers = { uptime: 9, gauges: {}, totals: {}, drops: {}, badMessages: [skipped] };
  const report: Stats = { ...about, ...load, ...numbers, at: Date.now() };
  client.publish(channels.stats("dialogue").subject, encodeEnvelope(channels.stats().schema, report));
  const map = page.getByRole("region", { name: "Who listens to whom" });
  const row = map.getByRole("row").filter({ hasText: "device.<id>.heard" });
  await row.getByText("weather-8").first().waitFor();
  await page.setViewportSize({ width: 390, height: 844 });
  const { x, width } = (await row.getByRole("cell").first().boundingBox())!;
  expect(x + width).toBeLessThan(390 / 2);
  expect(await map.innerText()).toContain("1.4.0");
  await map.getByText("forecast (not offered: a tool that another program offers, too)").waitFor();
  expect(await map.getByText("forecast", { exact: true }).count()).toBe(names.length - 1);
  // Each program of ours names its version.
  const own = map.getByRole("row").filter({ hasText: "monitor" }).first();
  expect(await own.getByRole("cell").first().innerText()).toMatch(/^\d+\.\d+\.\d+$/);
  expect(await map.innerText()).toContain("stands for any device");
});

test.skipIf(isSkipped)(
  "system: a report about dropped messages that does not decode causes no further ones",
  async () => {
    const reports = client.subscribe("stats.monitor");
    const seen: number[] = [];
    void (async () => {
      for await (const { data } of reports) seen.push(data.length);
    })();
    client.publish("stats.monitor", Buffer.from("no report"));
    await vi.waitFor(() => expect(seen.length).toBeGreaterThanOrEqual(4), 20_000);
    reports.unsubscribe();
    // One report in 5 s, and the one published here.
    expect(seen.length).toBeLessThanOrEqual(5);
  },
);

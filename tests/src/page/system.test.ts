import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { channels, encodeEnvelope } from "@voxbus/protocol";
import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { z } from "zod";
import { isSkipped, openBrowser, type Browser } from "./browser.ts";

vi.setConfig({ testTimeout: 60_000 });

let nats: NatsServer;
let client: NatsConnection;
let monitor: ChildProcess;
let browser: Browser;
let output = "";

beforeAll(async () => {
  if (isSkipped) return;
  nats = await startNatsServer();
  client = await connect({ servers: nats.url });
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("VOXBUS_"));
  monitor = fork(fileURLToPath(new URL("../../../apps/monitor/dist/main.js", import.meta.url)), {
    env: {
      ...Object.fromEntries(inherited),
      VOXBUS_NATS_URL: nats.url,
      VOXBUS_MONITOR_PORT: "0",
      VOXBUS_MONITOR_OPS_PORT: "0",
      VOXBUS_LOG_FORMAT: "json",
    },
    execArgv: [],
    silent: true,
  });
  monitor.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [ready] = (await once(monitor, "message")) as [{ readonly addresses: Record<string, string> }];
  browser = await openBrowser();
  await browser.page.goto(`${ready.addresses["monitor"]}#/system`);
});
afterAll(async () => {
  await browser?.close();
  if (monitor?.kill("SIGINT")) await once(monitor, "exit");
  await client?.close();
  await nats?.stop();
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
    /does not match the bus contract\s+state\s+\d+\s.*monitor/s,
  );
  expect(await row("stats.robot").innerText()).toMatch(/is of a newer version\s+v\s+\d+\s/);
  expect(await row("device.<b>hall</b>.in.text").innerText()).toMatch(/does not match the bus contract\s+envelope/);
  expect(await page.locator("body").innerText()).not.toContain("private");
  expect(output).not.toContain("private");
  expect(output).toContain("malformed message skipped");
  if (process.env["PAGE_SHOTS"])
    await page.screenshot({ path: `${process.env["PAGE_SHOTS"]}/system.png`, fullPage: true });
  expect(browser.complaints).toEqual([]);
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

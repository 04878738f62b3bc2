import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { fileURLToPath } from "node:url";
import type { Bus } from "@voxbus/bus";
import { connectTestBus, startNatsServer } from "@voxbus/testing";
import { type Alert, channels } from "@voxbus/protocol";
import { listen } from "@voxbus/subscriber";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { hurried, makeStats, speakAs } from "../test-monitor.ts";

let nats: Awaited<ReturnType<typeof startNatsServer>>;
let bus: Bus;
const posted: { readonly headers: IncomingHttpHeaders; readonly body: Record<string, unknown> }[] = [];
const receiver = createServer((request, response) => {
  let text = "";
  request.setEncoding("utf8").on("data", (part: string) => (text += part));
  request.on("end", () => {
    const body = JSON.parse(text) as Record<string, unknown>;
    // On a busy machine there are real alerts beside those of this test.
    if (body["name"] === "connections") posted.push({ headers: request.headers, body });
    response.writeHead(204).end();
  });
});
let webhook: string;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  webhook = await listen(receiver, { host: "127.0.0.1", port: 0, variable: "" });
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  receiver.close();
  await bus?.close();
  await nats?.stop();
});

/** Starts a monitor as a process of its own; resolves when it is ready. */
async function startMonitor(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [fileURLToPath(new URL("../../dist/main.js", import.meta.url))], {
    env: { ...process.env, ...hurried, VOXBUS_NATS_URL: nats.url, VOXBUS_MONITOR_WEBHOOK: webhook },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  children.add(child);
  child.once("exit", () => children.delete(child));
  await once(child, "message");
  return child;
}

test("alerts: each is raised once and resolved once, even if the monitor is killed while it sends them", async () => {
  const ids = Array.from({ length: 12 }, (_, index) => `g${index}`);
  let connections = 0;
  const speaking = speakAs(bus, () => ids.map((id) => makeStats(id, { gauges: { connections } })));
  const told: Alert[] = [];
  let killAt = Infinity;
  let running: ChildProcess[] = [];
  let kills = 0;
  const subscription = bus.subscribe(channels.alert("*"), (alert, { subject }) => {
    if (alert.name !== "connections") return;
    expect(subject).toBe(channels.alert(alert.severity).subject);
    told.push(alert);
    if (told.length < killAt) return;
    killAt = Infinity;
    kills += 1;
    for (const child of running) child.kill("SIGKILL");
  });
  await bus.flush();

  // Each burst is met by a kill of all monitors at its 1st or its 7th alert, and told to its end by those after them.
  for (const [round, at] of [1, 7].entries()) {
    running = await Promise.all([startMonitor(), startMonitor()]);
    for (const [high, killed] of [
      [true, at],
      [false, Infinity],
    ] as const) {
      const before = told.length;
      killAt = before + killed;
      connections = high ? 1200 : 0;
      const whole = () => expect(told.slice(before)).toHaveLength(ids.length);
      if (killed !== Infinity) {
        await Promise.all(running.map(ended));
        expect(told.length - before).toBeLessThanOrEqual(ids.length);
        running = [await startMonitor()];
      }
      await vi.waitFor(whole, { timeout: 15_000, interval: 20 });
      const phase = told.slice(before);
      expect(phase.map(({ target }) => target).toSorted()).toEqual(ids.toSorted());
      expect(phase.every(({ resolved }) => resolved === !high)).toBe(true);
      expect(phase.every(({ severity }) => severity === "medium")).toBe(true);
    }
    expect(new Set(told.map(({ id }) => id)).size).toBe((round + 1) * ids.length);
    await vi.waitFor(() => expect(new Set(posted.map(keyOf)).size).toBe(told.length), { timeout: 10_000 });
    for (const child of running) child.kill("SIGKILL");
    await Promise.all(running.map(ended));
    kills += 1;
  }

  // A raise and its end share one id. Only a webhook whose answer died with the monitor hears one twice.
  for (const id of new Set(told.map(({ id }) => id))) {
    expect(told.filter((alert) => alert.id === id).map(({ resolved }) => resolved)).toEqual([false, true]);
  }
  expect(posted.length - told.length).toBeLessThanOrEqual(kills);
  const first = told[0]!;
  const runbook = "docs/runbook.md#connections";
  const key = `${first.id}-${first.severity}`;
  expect(posted.find(({ body }) => body["id"] === first.id)?.body).toEqual({ ...first, kind: "alert", key, runbook });
  subscription.close();
  speaking.close();
}, 90_000);

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

const keyOf = ({ headers }: { readonly headers: IncomingHttpHeaders }) => headers["idempotency-key"];

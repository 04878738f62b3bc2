import type { Bus, Discovery } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import { connectTestBus, silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { openToolDirectory } from "./directory.ts";
import { offerRaw } from "./test-tools.ts";

let nats: NatsServer;
let bus: Bus;
beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterAll(async () => {
  await bus?.close();
  await nats?.stop();
});

/** Opens a directory, and counts what it asks. */
function openCounted() {
  const asked = { ask: 0, check: 0 };
  const discover: Bus["discover"] = (...args) => {
    const discovery = bus.discover(...args);
    const counted: Discovery = {
      ...discovery,
      ask() {
        asked.ask += 1;
        discovery.ask();
      },
      check(service) {
        asked.check += 1;
        discovery.check(service);
      },
    };
    return counted;
  };
  const options = { log: silentLog, onSkipped: () => undefined, everyMs: 60_000 };
  const directory = openToolDirectory({ ...bus, discover }, options);
  onTestFinished(() => directory.close());
  return { directory, asked };
}

test("tool directory: a flood of notices asks all programs at most four times a second", async () => {
  const { directory, asked } = openCounted();
  await bus.flush();
  expect(asked.ask).toBe(1);
  const notice = () => bus.publish(channels.toolChange("loud"), { instance: "loud", available: true });
  notice();
  await vi.waitFor(() => expect(asked.ask).toBe(2), { interval: 5 });
  const since = performance.now();
  const flood = setInterval(notice, 10);
  onTestFinished(() => clearInterval(flood));
  await vi.waitFor(() => expect(asked.ask).toBe(3), { interval: 5, timeout: 5000 });
  expect(performance.now() - since).toBeGreaterThan(150);
  expect([...directory.toolNames()]).toEqual([]);
});

test("tool directory: many calls of a tool test its programs as often as one", async () => {
  const { directory, asked } = openCounted();
  await offerRaw(nats.url, () => ({}));
  bus.publish(channels.toolChange("raw"), { instance: "raw", available: true });
  await vi.waitFor(() => expect(directory.find("raw")).toBeDefined());
  asked.check = 0;
  for (let call = 0; call < 200; call += 1) directory.check("raw");
  expect(asked.check).toBe(1);
});

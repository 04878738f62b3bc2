import { setTimeout as sleep } from "node:timers/promises";
import { buckets } from "@voxbus/protocol";
import { connectTestBus, startNatsServer } from "@voxbus/testing";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { register } from "./test-registry.ts";

afterEach(() => vi.restoreAllMocks());

test("lease: a newer process takes over the id, although its machine's clock is hours behind", async () => {
  const server = await startNatsServer();
  onTestFinished(() => server.stop());
  const bus = await connectTestBus(server.url);
  const first = await register(bus, "g1");
  const right = Date.now.bind(Date);
  vi.spyOn(Date, "now").mockImplementation(() => right() - 5 * 3_600_000);
  // A process that replaces another starts later than that by more than the error of their clocks.
  await sleep(300);
  const second = await register(bus, "g1");
  const lease = (await bus.bucket(buckets.gateways).get("g1"))?.value;
  expect(Math.abs(lease!.since - right())).toBeLessThan(1000);
  for (const one of [second, first]) await one.close();
  await bus.close();
});

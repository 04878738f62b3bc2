import { silentLog } from "@voxbus/testing";
import { expect, it } from "vitest";
import { createMemoryGuard } from "./memory-guard.ts";
import { openTestGateways, readStats } from "./test-gateways.ts";

it("memory guard: it sheds at once, refuses from the next check on, and ends well below the threshold", () => {
  let bytes = 90;
  let shed = 0;
  const guard = createMemoryGuard({ thresholdBytes: 100, shed: () => (shed += 1), log: silentLog, read: () => bytes });
  const check = (now: number) => {
    bytes = now;
    guard.check();
    return [shed, guard.refusing()];
  };
  expect(check(100)).toEqual([0, false]);
  expect(check(101)).toEqual([1, false]);
  expect(check(95)).toEqual([1, false]);
  expect(check(101)).toEqual([2, false]);
  expect(check(101)).toEqual([3, true]);
  expect(check(95)).toEqual([3, true]);
  expect(check(89)).toEqual([3, false]);
});

it("memory_error: a gateway over its threshold forgets replays, refuses devices, and says so", async () => {
  const gateways = await openTestGateways();
  const ballast: Uint8Array[] = [];
  try {
    const service = await gateways.start({ VOXBUS_MAX_MEMORY_MB: "400" });
    const device = await gateways.connect(service, { id: "steady" });
    device.send({ type: "listen", state: "start", mode: "auto" });
    await expect.poll(async () => (await readStats(service)).buffered).toBeGreaterThan(0);
    for (let n = 0; n < 5; n += 1) ballast.push(new Uint8Array(100 * 1_048_576));
    await expect
      .poll(async () => (await readStats(service)).errors["memory_error"], { timeout: 5000 })
      .toBeGreaterThan(1);
    expect(await readStats(service)).toMatchObject({ buffered: 0, drops: { overloaded: 2 } });
    await expect(gateways.connect(service, { id: "late" })).rejects.toThrow("HTTP 503");
    expect((await readStats(service)).refusals["out-of-memory"]).toBe(1);
    expect((await fetch(`${service.addresses["ops"]}/readyz`)).status).toBe(503);
    device.send({ type: "ping" });
    await device.next(({ type }) => type === "pong");
  } finally {
    ballast.length = 0;
    await gateways.stop();
  }
});

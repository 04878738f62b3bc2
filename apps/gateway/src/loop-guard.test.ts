import { expect, it } from "vitest";
import { openTestGateways, readStats } from "./test-gateways.ts";

it("loop guard: a gateway whose event loop is late refuses new devices with a reason, and takes them again", async () => {
  const gateways = await openTestGateways();
  let busy: NodeJS.Timeout | undefined;
  try {
    const service = await gateways.start({ VOXBUS_MAX_LOOP_DELAY_MS: "60" });
    const device = await gateways.connect(service, { id: "steady" });
    const readyz = async () => (await fetch(`${service.addresses["ops"]}/readyz`)).status;
    busy = setInterval(() => {
      for (const until = performance.now() + 150; performance.now() < until;);
    }, 200);
    await expect.poll(readyz, { timeout: 20_000, interval: 500 }).toBe(503);
    await expect(gateways.connect(service, { id: "late" })).rejects.toThrow("HTTP 503");
    expect((await readStats(service)).refusals["overloaded"]).toBe(1);
    device.send({ type: "ping" });
    await device.next(({ type }) => type === "pong");
    clearInterval(busy);
    await expect.poll(readyz, { timeout: 20_000, interval: 500 }).toBe(200);
    await gateways.connect(service, { id: "late" });
  } finally {
    clearInterval(busy);
    await gateways.stop();
  }
}, 60_000);

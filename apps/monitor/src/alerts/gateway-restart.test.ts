import type { Bus } from "@voxbus/bus";
import { createRegistry, type Registry } from "@voxbus/presence";
import { channels, type Alert } from "@voxbus/protocol";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { buildMonitor, monitor } from "../app.ts";
import { hurried } from "../test-monitor.ts";

let nats: NatsServer;
let bus: Bus;
const raised: Alert[] = [];
const opened: Bus[] = [];

beforeEach(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  raised.length = 0;
  bus.subscribe(channels.alert("*"), (alert) => alert.name === "gateway-lost" && !alert.resolved && raised.push(alert));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
  await bus.close();
  await nats.stop();
});

const startMonitor = () => startSubscriber(monitor, buildMonitor, { VOXBUS_NATS_URL: nats.url, ...hurried });

/** Starts what the monitor sees of a gateway: its lease and its canary. */
async function startGateway(): Promise<{ readonly registry: Registry; readonly bus: Bus }> {
  const own = await connectTestBus(nats.url);
  opened.push(own);
  const load = () => ({ connections: 0, speaking: 0 });
  return { registry: await createRegistry(own, { id: "g1", address: "http://127.0.0.1:1", load }), bus: own };
}

/** Waits until a monitor has noted the gateway for the monitor after it. */
async function startBoth(): Promise<{
  readonly running: Running;
  readonly gateway: Awaited<ReturnType<typeof startGateway>>;
}> {
  const gateway = await startGateway();
  const running = await startMonitor();
  await vi.waitFor(
    async () => {
      const address = running.addresses["monitor"] ?? "";
      const { gateways } = (await (await fetch(new URL("/api/gateways", address))).json()) as { gateways: unknown[] };
      expect(gateways).toHaveLength(1);
    },
    { timeout: 5000 },
  );
  await sleep(1500);
  return { running, gateway };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
/** Time in which a monitor finds a gateway lost whose id another process has, ms. */
const findMs = 4000;

test("restart: a gateway that stops in order together with the monitor is not lost", async () => {
  const { running, gateway } = await startBoth();
  await Promise.all([running.stop("quick"), gateway.registry.close()]);
  const next = await startGateway();
  const after = await startMonitor();
  await sleep(findMs);
  expect(raised).toEqual([]);
  await after.stop("quick");
  await next.registry.close();
}, 30_000);

test.each([
  ["whose lease could not be removed, because NATS stopped first,", true],
  ["that stops with NATS, before it could note that,", false],
])(
  "restart: a gateway %s is not lost",
  async (_how, isNoted) => {
    const { running, gateway } = await startBoth();
    if (isNoted) await gateway.registry.draining();
    nats.kill("SIGKILL");
    await Promise.all([running.stop("quick"), gateway.registry.close(0)]);
    await gateway.bus.close();
    await nats.restart();
    const next = await startGateway();
    const after = await startMonitor();
    await sleep(findMs);
    expect(raised).toEqual([]);
    await after.stop("quick");
    await next.registry.close();
  },
  30_000,
);

test("restart: NATS and a gateway restart while the monitor runs: the gateway is not lost", async () => {
  const { running, gateway } = await startBoth();
  nats.kill("SIGKILL");
  await gateway.registry.close(0);
  await gateway.bus.close();
  await nats.restart();
  const next = await startGateway();
  await sleep(findMs);
  expect(raised).toEqual([]);
  await running.stop("quick");
  await next.registry.close();
}, 30_000);

test("restart: a killed gateway is reported once, also by the monitor after a restart", async () => {
  const { running, gateway } = await startBoth();
  await running.stop("quick");
  await gateway.bus.close();
  const next = await startGateway();
  const after = await startMonitor();
  await vi.waitFor(() => expect(raised).toHaveLength(1), { timeout: 10_000 });
  await sleep(findMs);
  expect(raised).toHaveLength(1);
  await after.stop("quick");
  await next.registry.close();
}, 30_000);

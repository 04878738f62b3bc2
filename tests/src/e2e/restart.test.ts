import { setTimeout as sleep } from "node:timers/promises";
import { findFreePort } from "@voxbus/testing";
import { afterEach, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";

vi.setConfig({ testTimeout: 90_000 });

let system: LaunchedSystem | undefined;

afterEach(async () => {
  await system?.close();
  system = undefined;
});

/** Starts the system on the NATS store of a port. Resolves when its monitor has seen the gateway. */
async function start(natsPort: number): Promise<LaunchedSystem> {
  const started = await launchSystem({
    env: { VOXBUS_NATS_PORT: String(natsPort), VOXBUS_LOG_FORMAT: "json", VOXBUS_GATEWAY_ID: "hall" },
  });
  await vi.waitFor(async () => {
    const { gateways } = await read(started, "/api/gateways");
    expect(gateways).toHaveLength(1);
  });
  // The active monitor checks the gateways every second.
  await sleep(2500);
  return started;
}

async function read(from: LaunchedSystem, path: string): Promise<Record<string, readonly Record<string, unknown>[]>> {
  return (await (await fetch(new URL(path, from.monitor))).json()) as Record<
    string,
    readonly Record<string, unknown>[]
  >;
}

const readLost = async (from: LaunchedSystem) => {
  const { alerts } = await read(from, "/api/alerts");
  return (alerts ?? []).filter(({ name }) => name === "gateway-lost");
};

test("restart: Ctrl-C and start again raise no gateway-lost, a killed gateway does, once", async () => {
  const port = await findFreePort();
  system = await start(port);
  await system.end("SIGINT");
  system = await start(port);
  await sleep(2000);
  expect(await readLost(system)).toEqual([]);

  const [gateway] = system.processes("apps/gateway/");
  process.kill(gateway!.pid, "SIGKILL");
  await vi.waitFor(async () => expect(await readLost(system!)).toHaveLength(1), { timeout: 15_000, interval: 200 });
  await sleep(3000);
  expect(await readLost(system)).toHaveLength(1);
});

test("restart: after POST /pre-stop, or a drain by the monitor, every program is started again, and no gateway is lost", async () => {
  system = await start(await findFreePort());
  const ready = /"msg":"ready"/;
  const addresses = system
    .output()
    .split("\n")
    .filter((line) => ready.test(line))
    .map((line) => JSON.parse(line.slice(line.indexOf("{"))) as { readonly name: string; readonly ops: string });
  expect(addresses.map(({ name }) => name).toSorted()).toEqual([
    "asr",
    "dialogue",
    "gateway",
    "monitor",
    "tools",
    "tts",
  ]);
  for (const { name, ops } of addresses) {
    const back = system.awaitLine(new RegExp(`${name} restarted`));
    const ended = system.awaitLine(new RegExp(`${name} ended, restarting in \\d+ ms`));
    expect((await fetch(`${ops}/pre-stop`, { method: "POST" })).status).toBe(200);
    await ended;
    await back;
  }
  await vi.waitFor(async () => expect((await read(system!, "/api/gateways"))["gateways"]).toHaveLength(1));
  const back = system.awaitLine(/gateway restarted/);
  const ended = system.awaitLine(/gateway ended, restarting in \d+ ms/);
  expect((await fetch(new URL("/api/gateways/hall/drain", system.monitor), { method: "POST" })).ok).toBe(true);
  await ended;
  await back;
  await sleep(2000);
  expect(await readLost(system)).toEqual([]);
});

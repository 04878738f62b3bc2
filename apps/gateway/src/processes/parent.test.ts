import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import type { Bus } from "@voxbus/bus";
import { awaitPresence, watchPresence, type PresenceView } from "@voxbus/presence";
import { channels } from "@voxbus/protocol";
import {
  connectTestBus,
  leave,
  openTestDevice,
  startNatsServer,
  startOnOddHost,
  type HostedProgram,
  type NatsServer,
  type TestDevice,
} from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";

vi.setConfig({ testTimeout: 60_000 });

// A process cannot run TypeScript on Node 20, so this is the built program.
const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

let nats: NatsServer;
let bus: Bus;
let view: PresenceView;
const running: HostedProgram[] = [];
const devices: TestDevice[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  view = await watchPresence(bus);
});
afterEach(async () => {
  await Promise.all(devices.splice(0).map(leave));
  await Promise.all(running.splice(0).map(({ child, ended }) => (child.kill("SIGINT"), ended)));
});
afterAll(async () => {
  view.close();
  await bus.close();
  await nats.stop();
});

/** A parent with its gateway processes. */
interface Started extends HostedProgram {
  readonly device: string;
  readonly ops: string;
  /** The process ids of the gateways, by number. */
  pids(): ReadonlyMap<string, number>;
}

async function start(id: string, env: Readonly<Record<string, string>> = {}): Promise<Started> {
  const program = startOnOddHost([process.execPath, main], {
    channel: true,
    env: {
      VOXBUS_GATEWAY_WORKERS: "2",
      VOXBUS_GATEWAY_PORT: "0",
      VOXBUS_GATEWAY_OPS_PORT: "0",
      VOXBUS_GATEWAY_ID: id,
      VOXBUS_NATS_URL: nats.url,
      VOXBUS_LOG_FORMAT: "json",
      ...env,
    },
  });
  running.push(program);
  const { device = "", ops = "" } = await program.addresses;
  const readPids = () =>
    [...program.output().matchAll(/"worker":(\d),"process":(\d+),"msg":"gateway process started"/g)].map(
      ([, number = "", pid]) => [number, Number(pid)] as const,
    );
  return { ...program, device, ops, pids: () => new Map(readPids()) };
}

const open = async (to: Started, id: string) => {
  const device = await openTestDevice(to.device, { id });
  devices.push(device);
  await awaitPresence(view, { device: id, session: device.session, timeoutMs: 10_000 }, new AbortController().signal);
  return device;
};
const gatewayOf = (device: string) => view.online(device)?.gateway ?? "";
const leases = () =>
  view
    .gateways()
    .map(({ id }) => id)
    .toSorted();
const readiness = async ({ ops }: Started) => {
  const response = await fetch(`${ops}/readyz`);
  const { workers } = (await response.json()) as { readonly workers: readonly { readonly ready: boolean }[] };
  return [response.status, ...workers.map(({ ready }) => ready)];
};
/** Opens devices until one is held by `gateway`. */
async function openAt(to: Started, gateway: string, name: string): Promise<TestDevice> {
  for (let at = 0; ; at += 1) {
    const device = await open(to, `${name}-${at}`);
    if (gatewayOf(`${name}-${at}`) === gateway) return device;
  }
}
/** Sends a device live audio, as an intercom does, until the result is called. */
async function speak(device: string): Promise<() => void> {
  const say = () => bus.publish(channels.out(device), { kind: "audio", duration: 60, body: new Uint8Array([0xf8]) });
  say();
  await bus.flush();
  const timer = setInterval(say, 60);
  return () => clearInterval(timer);
}
const isGone = (pid: number) => {
  try {
    return !process.kill(pid, 0);
  } catch {
    return true;
  }
};
const range = (length: number) => Array.from({ length }, (_one, index) => index);

describe("gateway processes behind one port", () => {
  it("devices: are spread over the processes, each with an id and a lease of its own", async () => {
    const hall = await start("hall");
    expect(leases()).toEqual(["hall-1", "hall-2"]);
    // One after the other: of many at once, a process that is busy gets fewer.
    for (const at of range(100)) await open(hall, `spread-${at}`);
    const held = range(100).map((at) => gatewayOf(`spread-${at}`));
    expect(new Set(held)).toEqual(new Set(["hall-1", "hall-2"]));
    for (const gateway of leases()) expect(held.filter((one) => one === gateway).length).toBeGreaterThan(20);
    expect(new Set([hall.pid, ...hall.pids().values()]).size).toBe(3);
  });

  it("a process that is killed: is started again, and its devices find the other one meanwhile", async () => {
    const yard = await start("yard");
    const [lost, stays] = [await openAt(yard, "yard-1", "lost"), await openAt(yard, "yard-2", "stays")];
    const restarted = yard.awaitLine(/gateway process restarted/);
    const killed = yard.pids().get("1")!;
    process.kill(killed, "SIGKILL");
    await lost.closed;
    // The connection that the dead process was given is closed, and the next one goes to the other.
    await open(yard, "back").catch(() => open(yard, "back"));
    expect(gatewayOf("back")).toBe("yard-2");
    expect(JSON.parse(await restarted)).toMatchObject({ worker: 1 });
    expect(yard.output()).toMatch(
      /"worker":1,"code":null,"signal":"SIGKILL","delayMs":1000,"msg":"gateway process died/,
    );
    await openAt(yard, "yard-1", "again");
    expect(stays.open).toBe(true);
    const metrics = await (await fetch(`${yard.ops}/metrics`)).text();
    expect(/^voxbus_gateway_worker_restarts_total.*$/m.exec(metrics)?.[0]).toMatch(/restarted="1".* 1$/);
  });

  it("a connection on its way to a process that dies: is closed", async () => {
    const loft = await start("loft");
    const stopped = loft.pids().get("1")!;
    process.kill(stopped, "SIGSTOP");
    const port = Number(new URL(loft.device).port);
    const closed: number[] = [];
    const sockets = range(4).map((at) => {
      const socket = connect(port, "127.0.0.1").on("close", () => closed.push(at));
      socket.on("error", () => undefined).resume();
      socket.write("GET /ws/stats HTTP/1.1\r\nconnection: close\r\n\r\n");
      return socket;
    });
    await vi.waitFor(() => expect(closed).toHaveLength(3), 10_000);
    process.kill(stopped, "SIGKILL");
    await vi.waitFor(() => expect(closed).toHaveLength(4), 10_000);
    for (const socket of sockets) socket.destroy();
  });

  it("SIGTERM: the parent lets all processes finish what devices hear, and exits with 0", async () => {
    const attic = await start("attic");
    const ids = ["attic-1", "attic-2"];
    const speakers = await Promise.all(ids.map((id) => openAt(attic, id, `speaks-${id}`)));
    const names = [...view.devices()].filter(([, { session }]) => speakers.some((one) => one.session === session));
    const stops = await Promise.all(names.map(([device]) => speak(device)));
    await Promise.all(speakers.map((device) => device.binary()));
    const drained = range(2).map(() => attic.awaitLine(/drain started/));
    attic.child.kill("SIGTERM");
    await Promise.all(drained);
    // Longer than a silent session may stay.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(speakers.map((device) => device.open)).toEqual([true, true]);
    for (const stop of stops) stop();
    const ends = await Promise.all(speakers.map((device) => device.closed));
    expect(ends).toEqual(ends.map(() => ({ code: 1012, reason: "restart" })));
    expect(await attic.ended).toBe(0);
    expect(leases()).not.toContain("attic-1");
  });

  it("one process that drains: takes no new device, and is started again", async () => {
    const cellar = await start("cellar");
    const restarted = cellar.awaitLine(/gateway process restarted/);
    const speaker = await openAt(cellar, "cellar-1", "speaks");
    const [name = ""] = [...view.devices()].find(([, { session }]) => session === speaker.session) ?? [];
    const stop = await speak(name);
    await speaker.binary();
    bus.publish(channels.command("cellar-1"), { body: { type: "drain" } });
    await vi.waitFor(async () => expect(await readiness(cellar)).toEqual([200, false, true]));
    await Promise.all(range(10).map((at) => open(cellar, `new-${at}`)));
    expect(new Set(range(10).map((at) => gatewayOf(`new-${at}`)))).toEqual(new Set(["cellar-2"]));
    expect(speaker.open).toBe(true);
    stop();
    expect(await speaker.closed).toEqual({ code: 1012, reason: "restart" });
    await restarted;
    await vi.waitFor(async () => expect(await readiness(cellar)).toEqual([200, true, true]));
  });

  it("a parent that is killed: leaves no process and no lease behind", async () => {
    const barn = await start("barn");
    const pids = [...barn.pids().values()];
    const device = await open(barn, "in-barn");
    barn.child.kill("SIGKILL");
    expect(await device.closed).toEqual({ code: 1012, reason: "restart" });
    await vi.waitFor(() => expect(pids.map(isGone)).toEqual([true, true]), 10_000);
    await vi.waitFor(() => expect(leases()).not.toContain("barn-1"), 10_000);
  });

  it("SIGINT: all processes end within 5 s, and the parent exits with 0", async () => {
    const shed = await start("shed");
    const pids = [...shed.pids().values()];
    expect(await shed.end("SIGINT")).toEqual({ code: 0, took: expect.toSatisfy((took: number) => took < 5000) });
    expect(pids.map(isGone)).toEqual([true, true]);
  });

  it("a newer gateway takes an id: the parent ends the others too, and exits with 78", async () => {
    const first = await start("twin");
    await start("twin");
    expect(await first.ended).toBe(78);
  });

  it("a start that fails: is told once, and the parent exits with 1", async () => {
    const first = await start("first");
    const port = new URL(first.device).port;
    const second = startOnOddHost([process.execPath, main], {
      env: {
        VOXBUS_GATEWAY_WORKERS: "3",
        VOXBUS_GATEWAY_PORT: port,
        VOXBUS_GATEWAY_OPS_PORT: "0",
        VOXBUS_NATS_URL: nats.url,
      },
    });
    running.push(second);
    expect(await second.ended).toBe(1);
    expect(second.output().match(/is taken: set VOXBUS_GATEWAY_PORT/g)).toHaveLength(1);
    expect(second.output()).toContain("gateway process 1 could not start (code 1)");
  });

  it("the operations port: answers for all, and a log level reaches all", async () => {
    const den = await start("den");
    expect(await readiness(den)).toEqual([200, true, true]);
    const text = await (await fetch(`${den.ops}/metrics`)).text();
    for (const worker of ["parent", "1", "2"]) expect(text).toContain(`voxbus_process_memory_bytes{worker="${worker}"`);
    expect(text.match(/^# TYPE voxbus_process_memory_bytes /gm)).toHaveLength(1);
    const set = (body: string) => fetch(`${den.ops}/log-level`, { method: "PUT", body });
    expect((await set("loud")).status).toBe(400);
    const changed = range(2).map(() => den.awaitLine(/log level changed/));
    expect(await (await set("debug")).text()).toBe("debug\n");
    await Promise.all(changed);
    expect((await fetch(`${den.ops}/pre-stop`, { method: "POST" })).status).toBe(200);
    expect(await den.ended).toBe(0);
  });

  it("a long id: is refused, because the number of the process follows it", async () => {
    const env = { VOXBUS_GATEWAY_ID: "x".repeat(62) };
    await expect(start("x", env)).rejects.toThrow(/VOXBUS_GATEWAY_ID: must be at most 61 characters/);
  });
});

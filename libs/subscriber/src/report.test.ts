import { busVersion, InControlFrame, Stats, subjects } from "@voxbus/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Bus } from "./bus.ts";
import { connectBus } from "./connect.ts";
import { reportVitals } from "./report.ts";
import { startNatsServer, type NatsServer } from "@voxbus/testing";

let nats: NatsServer;
let bus: Bus;
let other: Bus;
const connect = () => connectBus({ VOXBUS_NATS_URL: nats.url, VOXBUS_NATS_REPLICAS: 1 }, console);

beforeAll(async () => {
  nats = await startNatsServer();
  [bus, other] = [await connect(), await connect()];
});
afterAll(async () => {
  await bus?.close();
  await other?.close();
  await nats?.stop();
});

const readVitals = () => ({ rss: 100, heap: 50, cpu: 0.25, loopDelay: 1.5 });

test("report: at the start, again and again, when the program begins to stop, and when it has", async () => {
  const seen: Stats[] = [];
  const subscription = other.subscribe(subjects.stats("worker"), Stats, (stats) => void seen.push(stats));
  await other.flush();
  const stopping = new AbortController();
  let closed = 0;
  const report = reportVitals(bus, {
    program: "worker",
    vitals: { read: readVitals, close: () => void (closed += 1) },
    signal: stopping.signal,
    gauges: () => ({ queue: 3 }),
    totals: () => ({ turns: 2 }),
    drops: () => ({ rate: 1 }),
    everyMs: 20,
  });
  await vi.waitFor(() => expect(seen.length).toBeGreaterThan(2));
  expect(seen[0]).toMatchObject({ ...readVitals(), program: "worker", state: "running", pid: process.pid, cores: 1 });
  expect(seen[0]).toMatchObject({
    gauges: { queue: 3, claims: 0 },
    totals: { turns: 2, claims: 0 },
    drops: { rate: 1 },
  });
  expect(new Set(seen.map(({ instance }) => instance)).size).toBe(1);

  stopping.abort();
  report.close();
  report.close();
  await vi.waitFor(() => expect(seen.at(-1)?.state).toBe("stopped"));
  expect(seen.some(({ state }) => state === "draining")).toBe(true);
  expect(seen.filter(({ state }) => state === "stopped")).toHaveLength(1);
  expect(closed).toBe(1);
  subscription.close();
});

test("lags: what nobody has had yet, and what is held", async () => {
  const open = async (session: string) => {
    const body = { type: "listen", mode: "auto", gateway: "g1" };
    const frame = { v: busVersion, session, seq: 1, at: 1, kind: "control", body };
    await bus.store(subjects.open("d1"), frame, { id: `${session}:1` });
  };
  let finish = (): void => undefined;
  const done = new Promise<void>((resolve) => (finish = resolve));
  const claims = await bus.claim({
    stream: "DEVICE_IN",
    durable: "lagging",
    filters: [subjects.open("*")],
    schema: InControlFrame,
    slots: 1,
    work: () => done,
  });
  for (const session of ["a", "b", "c"]) await open(session);
  await vi.waitFor(async () => {
    expect(await other.lags()).toEqual([
      { stream: "DEVICE_IN", durable: "lagging", pending: 2, held: 1, redelivered: 0 },
    ]);
  });
  expect(bus.stats()).toMatchObject({ held: 1, claims: 1, redeliveries: 0 });
  finish();
  await vi.waitFor(() => expect(bus.stats()).toMatchObject({ held: 0, claims: 3 }));
  await claims.drain(0);
});

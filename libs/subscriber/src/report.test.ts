import { availableParallelism } from "node:os";
import { connectBus, type Bus } from "@voxbus/bus";
import { channels, type Stats } from "@voxbus/protocol";
import { createPoolRecorder } from "@voxbus/pools";
import { loose, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { reportVitals } from "./report.ts";

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

test("report: is published at the start, at intervals, when the program drains, and when it has stopped", async () => {
  const seen: Stats[] = [];
  const subscription = other.subscribe(channels.stats("worker"), (stats) => void seen.push(stats));
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
    gauges: { queue: 3, claims: 0, hostCores: availableParallelism() },
    totals: { turns: 2, claims: 0, cpuMs: expect.any(Number), hostCpuMs: expect.any(Number) },
    drops: { rate: 1 },
  });
  const cpu = process.cpuUsage();
  expect(seen[0]!.totals["cpuMs"]).toBeLessThanOrEqual(Math.round((cpu.user + cpu.system) / 1000));
  expect(seen[0]!.totals["cpuMs"]).toBeGreaterThan(0);
  expect(seen[0]!.totals["hostCpuMs"]).toBeGreaterThanOrEqual(seen[0]!.totals["cpuMs"]!);
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

test("report: has the program's pools, and the work that waits in them as its queue", async () => {
  const received = new Promise<Stats>((resolve) => {
    other.subscribe(channels.stats("pooled"), resolve);
  });
  await other.flush();
  const pool = createPoolRecorder({ name: "model", slots: 10 });
  pool.submit("high");
  pool.submit("low");
  pool.submit("low").start();
  const report = reportVitals(bus, {
    program: "pooled",
    vitals: { read: readVitals, close: () => undefined },
    pools: () => [pool.stats()],
  });
  const { gauges, pools } = await received;
  expect(gauges["queue"]).toBe(2);
  expect(pools).toMatchObject([{ name: "model", slots: 10, work: [{ waiting: 1 }, {}, { waiting: 1, running: 1 }] }]);
  report.close();
});

test("report: a change is reported early, a few times a second, without another measurement", async () => {
  const seen: Stats[] = [];
  const subscription = other.subscribe(channels.stats("changing"), (stats) => void seen.push(stats));
  await other.flush();
  let [spare, reads] = [5, 0];
  const report = reportVitals(bus, {
    program: "changing",
    vitals: { read: () => ({ ...readVitals(), cpu: (reads += 1) }), close: () => undefined },
    gauges: () => ({ spare }),
  });
  spare = 0;
  for (let times = 0; times < 20; times += 1) report.soon();
  await vi.waitFor(() => expect(seen).toHaveLength(2));
  expect(seen.map(({ cpu, gauges }) => [cpu, gauges["spare"]])).toEqual([
    [1, 5],
    [1, 0],
  ]);
  expect(seen[1]!.at - seen[0]!.at).toBeGreaterThan(200);
  report.soon();
  report.close();
  await vi.waitFor(() => expect(seen.map(({ state }) => state)).toEqual(["running", "running", "stopped"]));
  subscription.close();
});

test("report: names the messages that were dropped, and adds the program's drops to those of the bus", async () => {
  const own = await connect();
  own.subscribe(channels.inText("*"), () => undefined);
  await own.flush();
  const subject = channels.inText("d1");
  for (const seq of [0, -1])
    other.publish(loose(subject), { session: "s1", seq, at: 0, kind: "text", body: "private" });
  await vi.waitFor(() => expect(own.stats().drops).toEqual({ "bad-envelope": 2 }));

  const seen: Stats[] = [];
  const subscription = other.subscribe(channels.stats("reporter"), (stats) => void seen.push(stats));
  await other.flush();
  const vitals = { read: readVitals, close: () => undefined };
  const tool = { at: 1, subject: "tool.weather", reason: "schema", count: 1, publisher: "weather" };
  const report = reportVitals(own, {
    program: "reporter",
    vitals,
    drops: () => ({ "bad-envelope": 1, rate: 3 }),
    badMessages: () => Array.from({ length: 20 }, () => tool),
  });
  await vi.waitFor(() => expect(seen).toHaveLength(1));
  expect(seen[0]?.drops).toEqual({ "bad-envelope": 3, rate: 3 });
  const at = expect.any(Number) as number;
  const limit = "Too small: expected number to be >=1";
  const bad = {
    subject: "device.d1.in.text",
    reason: "bad-envelope",
    field: "seq",
    count: 2,
    at,
    limit,
    publisher: "session s1",
  };
  expect(seen[0]?.badMessages).toEqual([bad, ...Array.from({ length: 15 }, () => tool)]);
  report.close();
  subscription.close();
  await own.close();
});

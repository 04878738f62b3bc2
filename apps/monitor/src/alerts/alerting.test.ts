import { loose } from "@voxbus/testing";
import { createRegistry } from "@voxbus/presence";
import { type Alert, buckets, channels } from "@voxbus/protocol";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { makeStats, speakAs, startTestMonitor, type TestMonitor } from "../test-monitor.ts";

let my: TestMonitor;
const told: Alert[] = [];
const speaking: { close(): void }[] = [];
beforeAll(async () => {
  my = await startTestMonitor({
    VOXBUS_MONITOR_MAX_QUEUE: "3",
    VOXBUS_MONITOR_MAX_MEMORY_MB: "900",
    VOXBUS_MONITOR_LEASE_MS: "3000",
  });
  my.bus.subscribe(channels.alert("*"), (alert) => void told.push(alert));
  await my.bus.flush();
});
afterEach(() => speaking.splice(0).forEach((one) => one.close()));
afterAll(() => my?.stop());

const alertsOf = (name: string) => told.filter((alert) => alert.name === name);
const until = (check: () => void | Promise<void>, timeout = 8000) => vi.waitFor(check, { timeout, interval: 20 });

test("lag: messages that no worker takes raise an alert, which is resolved once they are taken", async () => {
  const { bus } = my;
  const open = { channel: channels.inControlOpen("*"), durable: "late" } as const;
  const first = await bus.claim({ ...open, slots: 1, work: async () => undefined });
  await first.drain(0);
  for (let seq = 1; seq <= 4; seq += 1) {
    const body = { type: "listen", mode: "auto", gateway: "g1" };
    const frame = { session: "s1", seq, at: 1, kind: "control", body };
    await bus.store(loose(channels.inControlOpen("d1")), frame, { id: `s1:${seq}` });
  }
  await until(() => expect(alertsOf("queue")).toHaveLength(1));
  expect(alertsOf("queue")[0]).toMatchObject({ severity: "high", target: "late-DEVICE_IN", resolved: false });
  // The process of this test may itself be busy, which is another alert.
  const shown = async () => {
    const { alerts } = (await my.ask("GET", "/api/alerts?open=true")).body as { alerts: Alert[] };
    return alerts.filter(({ name }) => name === "queue");
  };
  expect(await shown()).toMatchObject([{ target: "late-DEVICE_IN" }]);

  const second = await bus.claim({ ...open, slots: 10, work: async () => undefined });
  await until(() => expect(alertsOf("queue")).toHaveLength(2));
  expect(alertsOf("queue")[1]).toMatchObject({ id: alertsOf("queue")[0]!.id, resolved: true });
  expect(await shown()).toEqual([]);
  await second.drain(0);
});

test("memory: an alert is medium, then high under the same id, then resolved", async () => {
  let rss = 1e9;
  speaking.push(speakAs(my.bus, () => [makeStats("big", { rss })]));
  await until(() => expect(alertsOf("memory")).toHaveLength(1));
  rss = 1.5e9;
  await until(() => expect(alertsOf("memory")).toHaveLength(2));
  rss = 1e8;
  await until(() => expect(alertsOf("memory")).toHaveLength(3));
  expect(alertsOf("memory").map(({ severity, resolved }) => [severity, resolved])).toEqual([
    ["medium", false],
    ["high", false],
    ["high", true],
  ]);
  expect(new Set(alertsOf("memory").map(({ id }) => id)).size).toBe(1);
});

test("rates: dropped frames raise an alert, except those of interrupted speech", async () => {
  let total = 0;
  speaking.push(
    speakAs(my.bus, () => {
      total += 100;
      const totals = { framesReceived: total * 10, framesSent: 0 };
      return [
        makeStats("lossy", { totals, drops: { overloaded: total } }),
        makeStats("abrupt", { totals, drops: { fenced: total, superseded: total } }),
      ];
    }),
  );
  await until(() => expect(alertsOf("drop-rate")).not.toHaveLength(0));
  expect(alertsOf("drop-rate").map(({ target }) => target)).toEqual(["lossy"]);
});

test("stats: have the last value, the average and the history of programs' numbers", async () => {
  let connections = 10;
  speaking.push(speakAs(my.bus, () => [makeStats("counted", { gauges: { connections } })]));
  const series = async (points: number) => {
    const path = `/api/stats?metric=connections&subject=counted&points=${points}`;
    const { status, body } = await my.ask("GET", path);
    expect(status).toBe(200);
    return body["series"] as { value: number; average: number; points?: [number, number][] }[];
  };
  await until(async () => expect((await series(0))[0]?.value).toBe(10));
  connections = 30;
  await until(async () => expect((await series(0))[0]?.value).toBe(30));
  const [found] = await series(1000);
  expect(found?.average).toBeGreaterThan(10);
  expect(found?.average).toBeLessThan(30);
  const values = found!.points!.map(([, value]) => value);
  expect(values[0]).toBe(10);
  expect(values.at(-1)).toBe(30);
  const times = found!.points!.map(([at]) => at);
  expect(times).toEqual(times.toSorted((a, b) => a - b));

  // The monitor's own first report came before it listened.
  await until(async () => {
    const { body } = await my.ask("GET", "/api/programs");
    const programs = body["programs"] as { program: string; id?: string; lost: boolean }[];
    expect(programs).toContainEqual(expect.objectContaining({ program: "gateway", id: "counted", lost: false }));
    expect(programs).toContainEqual(expect.objectContaining({ program: "monitor", pid: process.pid }));
  });
  for (const query of ["points=1001&metric=memory", "points=1"]) {
    expect((await my.ask("GET", `/api/stats?${query}`)).status).toBe(400);
  }
});

test("programs: a program that reports that it has stopped is no longer listed", async () => {
  const ids = async () =>
    ((await my.ask("GET", "/api/programs")).body["programs"] as { id?: string }[]).map(({ id }) => id);
  my.bus.publish(channels.stats("gateway"), makeStats("leaver"));
  await until(async () => expect(await ids()).toContain("leaver"));
  my.bus.publish(channels.stats("gateway"), makeStats("leaver", { state: "stopped" }));
  await until(async () => expect(await ids()).not.toContain("leaver"));
});

test("gateways: a gateway that crashed and came back raises an alert that is resolved; one that drained raises none", async () => {
  const open = (id: string, epoch: string) =>
    createRegistry(my.bus, { id, epoch, address: "", load: () => ({ connections: 0, speaking: 0 }) });
  const noted = async (id: string, epoch: string, leaving = false) =>
    until(async () =>
      expect((await my.bus.bucket(buckets.seenGateways).get("=gateways"))?.value).toMatchObject({
        gateways: { [id]: { epoch, leaving } },
      }),
    );
  const crashing = await open("crashing", "e1");
  const leaving = await open("leaving", "e1");
  await noted("crashing", "e1");
  await noted("leaving", "e1");
  await leaving.draining();
  await noted("leaving", "e1", true);
  await leaving.close();
  const [again, back] = [await open("crashing", "e2"), await open("leaving", "e2")];
  await until(() => expect(alertsOf("gateway-lost")).toHaveLength(2));
  expect(alertsOf("gateway-lost").map(({ target, resolved }) => [target, resolved])).toEqual([
    ["crashing", false],
    ["crashing", true],
  ]);
  for (const registry of [crashing, again, back]) await registry.close();
});

test("monitors: one is active; when it stops another takes over and continues its alerts", async () => {
  let rss = 1e9;
  speaking.push(speakAs(my.bus, () => [makeStats("steady", { rss })]));
  const mine = () => alertsOf("memory").filter(({ target }) => target === "steady");
  await until(() => expect(mine()).toHaveLength(1));
  const other = await my.another();
  const isActive = async (url: string) => {
    const body = (await (await fetch(new URL("/api/stats?metric=none", url))).json()) as { active: boolean };
    return body.active;
  };
  const otherUrl = other.addresses["monitor"]!;
  await until(async () => expect(await isActive(my.url)).toBe(true));
  expect(await isActive(otherUrl)).toBe(false);
  await my.running.stop("quick");
  await until(async () => expect(await isActive(otherUrl)).toBe(true));
  rss = 1e8;
  await until(() => expect(mine()).toHaveLength(2));
  expect(mine()[1]).toMatchObject({ id: mine()[0]!.id, resolved: true });
  await other.stop("quick");
});

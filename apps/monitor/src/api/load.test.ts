import { channels, type Event } from "@voxbus/protocol";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { makePool, makeStats, speakAs, startTestMonitor, type TestMonitor } from "../test-monitor.ts";

let my: TestMonitor;
const speaking: { close(): void }[] = [];
beforeAll(async () => {
  my = await startTestMonitor({ VOXBUS_MONITOR_MAX_POOL_WAIT_MS: "250" });
});
afterEach(() => speaking.splice(0).forEach((one) => one.close()));
afterAll(() => my?.stop());

/** A worker's report. */
const makeWorker = (program: string, instance: string, more: Partial<Parameters<typeof makeStats>[1]> = {}) => {
  const { id: _, ...stats } = makeStats("", { program, instance, ...more });
  return stats;
};
const until = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 15_000, interval: 50 });
const series = async (metric: string) => {
  const { body } = await my.ask("GET", `/api/stats?metric=${metric}`);
  return body["series"] as { subject: string; value: number }[];
};

test("pools: of the programs, and of their processes, with the thresholds of their alerts", async () => {
  const waitMs = { mean: 90, p50: 80, p95: 300, p99: 400 };
  const pool = makePool("opus-out", 0.96, { running: 9, waiting: 40, done: 70, shed: 30, submitted: 149, waitMs });
  speaking.push(
    speakAs(my.bus, () => [
      makeWorker("tts", "a", { pools: [pool] }),
      makeWorker("tts", "b", { pools: [makePool("opus-out", 0.5, { done: 100 })] }),
    ]),
  );
  await until(async () => {
    const { status, body } = await my.ask("GET", "/api/pools");
    expect(status).toBe(200);
    expect(body["pools"]).toMatchObject([
      {
        program: "tts",
        name: "opus-out",
        slots: 20,
        busy: expect.closeTo(0.73),
        all: { running: 9, waiting: 40, done: 170, shed: 30, successRate: 0.85, waitMs: { p95: 300 } },
        work: [{ priority: "high", waiting: 40 }],
        processes: [
          { id: "tts-a", host: "hall", busy: 0.96, all: { successRate: 0.7 } },
          { id: "tts-b", busy: 0.5 },
        ],
      },
    ]);
    expect(body["thresholds"]).toEqual({ "pool-wait": 250, "pool-shed": 0.05 });
    expect((await series("poolWaitP95")).find(({ subject }) => subject === "tts-a-opus-out")?.value).toBe(300);
    expect((await series("poolBusy")).map(({ subject }) => subject)).toContain("tts-b-opus-out");
    expect((await series("queue")).find(({ subject }) => subject === "tts-a")?.value).toBe(40);
    const { alerts } = (await my.ask("GET", "/api/alerts?open=true")).body as {
      alerts: { name: string; target: string }[];
    };
    expect(alerts).toContainEqual(
      expect.objectContaining({
        name: "pool-wait",
        target: "tts-a-opus-out",
        message: expect.stringContaining("300 ms in the pool opus-out of tts on hall"),
      }),
    );
  });
});

test("capacity: names the bottleneck, and after 20 turns the score and how many more devices fit", async () => {
  const pool = makePool("synthesis", 1);
  let turns = 0;
  let at = Date.now();
  speaking.push(
    speakAs(my.bus, () => {
      turns += 5;
      at += 5000;
      const totals = { turns, cpuMs: turns * 20, hostCpuMs: turns * 100 };
      return [
        makeStats("g9", { at, totals, gauges: { hostCores: 64, connections: 5, maxConnections: 50 } }),
        makeWorker("tts", "c", { at, pools: [pool], cores: 4 }),
      ];
    }),
  );
  const turn = { origin: 9, reply: "r1", complete: true, fenced: 0, dropped: 0, firstAudio: 100 };
  for (const late of [0, 0, 0, 2]) {
    const event: Event = { session: `s${late}`, at, gateway: "g9", turn: { ...turn, late } };
    my.bus.publish(channels.event("d1"), event);
  }
  const failed: Event = {
    session: "s9",
    at,
    gateway: "g9",
    turn: { ...turn, complete: false, late: 0, reason: "dry" },
  };
  my.bus.publish(channels.event("d2"), failed);
  await until(async () => {
    const { status, body } = await my.ask("GET", "/api/capacity");
    expect(status).toBe(200);
    expect(body["bottleneck"]).toMatchObject({ limiting: true, sentence: "tts: synthesis is at 100 %." });
    expect(body["score"]).toMatchObject({
      value: 60,
      answered: 0.8,
      smooth: 0.75,
      prompt: 1,
      turns: 5,
      failed: 1,
      shed: 0,
    });
    const { capacity } = body as {
      capacity: { turnMs: number; limits: { kind: string; name: string; more: number }[] };
    };
    // More than 85 % of the slots are in use.
    expect(capacity).toMatchObject({ talking: 2, more: 0 });
    // 20 ms of the gateway's core, and what the monitor itself uses.
    expect(capacity.turnMs).toBeGreaterThan(19.9);
    const named = new Map(capacity.limits.map(({ kind, name, more }) => [`${kind} ${name}`, more]));
    expect(named.get("pool tts synthesis")).toBe(0);
    expect(named.get("connections gateway")).toBe(45);
    expect([67, 68]).toContain(named.get("program gateway"));
  });
});

test("capacity: is unknown to a monitor that has seen no turns", async () => {
  const other = await startTestMonitor();
  try {
    const { body } = await other.ask("GET", "/api/capacity");
    expect(body["capacity"]).toEqual({ turns: 0, turnsNeeded: 20, talking: 0, limits: [] });
    expect(body).not.toHaveProperty("score");
  } finally {
    await other.stop();
  }
});

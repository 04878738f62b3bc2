import { createTone } from "@voxbus/testing";
import { expect, test } from "vitest";
import { createFleetStats, formatReport } from "./fleet-stats.ts";
import { loadFleetLines, runFleet, type FleetPlan } from "./run-fleet.ts";
import { answering, answerTurn, startScriptedServer, type ServerScript } from "./test-server.ts";
import { encodeUtterance } from "./utterance.ts";

const utterance = encodeUtterance({ samples: createTone(16_000, 120), sampleRate: 16_000 });
const lines = [{ text: "a tone", utterance }];
const devices = {
  count: 6,
  prefix: "test",
  token: undefined,
  protocol: 3,
  connectRate: 200,
  listening: false,
} as const;
const plan = { rate: 20, minutes: 0.01, spoken: 0.5, timeoutMs: 5000 };

async function run(
  scripts: readonly ServerScript[],
  { count = devices.count, ...changes }: Partial<FleetPlan> & { readonly count?: number } = {},
) {
  const servers = await Promise.all(scripts.map((script) => startScriptedServer(script)));
  try {
    const urls = servers.map(({ url }) => url);
    const stats = await runFleet({ devices: { ...devices, count, urls }, ...plan, ...changes }, lines, () => undefined);
    return { stats, servers };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

test("fleet: devices are spread over the servers; typed and spoken turns are answered and measured", async () => {
  const { stats, servers } = await run([answering, answering]);
  const ids = servers.map(({ sessions }) => new Set(sessions.map(({ headers }) => headers["device-id"])));
  expect(ids).toEqual([
    new Set(["test-00001", "test-00003", "test-00005"]),
    new Set(["test-00002", "test-00004", "test-00006"]),
  ]);
  const { started, answered, lost, skipped, misheard, framesReceived } = stats.counts;
  expect({ begun: started + skipped, lost, misheard, answered }).toEqual({
    begun: 12,
    lost: 0,
    misheard: 0,
    answered: started,
  });
  expect(framesReceived).toBe(3 * answered);
  expect([...stats.failures]).toEqual([]);
  expect(stats.latencies.get("connect → hello")).toHaveLength(6);
  expect(stats.latencies.get("spoken turn, whole")?.length).toBeGreaterThan(0);
  expect(stats.latencies.get("text → first sound")?.length).toBeGreaterThan(0);
});

test("fleet: lost turns and messages in the wrong order are counted by kind", async () => {
  const { stats } = await run(
    [{ onMessage: (session, name) => (name === "listen/detect" ? session.sendPacket(Uint8Array.of(1)) : undefined) }],
    { count: 1, rate: 1, minutes: 1 / 60, spoken: 0, timeoutMs: 300 },
  );
  expect(stats.counts).toMatchObject({ started: 1, answered: 0, lost: 1 });
  expect(Object.fromEntries(stats.failures)).toEqual({
    "order: audio outside speech": 1,
    "turn: no transcript in time": 1,
  });
});

test("fleet: a device that is closed for a restart connects again", async () => {
  let closed = false;
  const { stats, servers } = await run(
    [
      {
        onMessage(session, name) {
          if (name !== "listen/detect") return undefined;
          if (closed) return answerTurn(session, "a tone", "Yes.");
          closed = true;
          return session.close(1012, "restart");
        },
      },
    ],
    { count: 1, rate: 1, minutes: 4 / 60, spoken: 0 },
  );
  expect(servers[0]?.sessions).toHaveLength(2);
  const { started, answered, lost, skipped } = stats.counts;
  expect({ begun: started + skipped, answered, lost }).toEqual({ begun: 4, answered: started - 1, lost: 1 });
  expect(answered).toBeGreaterThan(0);
  expect(Object.fromEntries(stats.failures)).toEqual({ "closed: 1012 restart": 1, "turn: cut off": 1 });
});

test("fleet: it fails at once if no device can connect", async () => {
  await expect(run([{ refuse: true }])).rejects.toThrow("None of the devices could connect (connect: refused 401).");
});

test("fleet: it finds lines to say in the samples", async () => {
  const samples = await loadFleetLines(new URL("../../../samples/", import.meta.url));
  expect(samples.map(({ text }) => text)).toContain("what time is it");
  expect(samples.every(({ utterance }) => (utterance?.voiced ?? 0) > 5)).toBe(true);
});

test("fleet report: it has nearest-rank percentiles, no empty rows, and failures by kind", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
  const stats = createFleetStats();
  for (const ms of hundred) stats.measure("text → first sound", 101 - ms);
  stats.fail("turn: cut off");
  expect(formatReport(stats, { p99: 1, max: 2 }).split("\n")).toEqual([
    "ms                                count      p50      p95      p99      max",
    "text → first sound                  100     50.0     95.0     99.0    100.0",
    "",
    "turns: 0 started, 0 answered, 0 lost",
    "frames: 0 sent, 0 received",
    "event loop delay of the fleet: p99 1.0, max 2.0 ms",
    "failures:",
    "  turn: cut off                       1",
  ]);
});

import type { Bus } from "@voxbus/bus";
import { createPool, PoolFullError } from "@voxbus/pools";
import { buckets, channels, type Stats } from "@voxbus/protocol";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import type { LlmEngine } from "./engines/engine.ts";
import { createInput, createWorker, delivery, readTexts } from "./test-turn.ts";
import { createTurnAdmission, type TurnAdmission } from "./turn-admission.ts";

let nats: NatsServer;
let bus: Bus;
const admissions: TurnAdmission[] = [];
beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterEach(() => admissions.splice(0).forEach((admission) => admission.close()));
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

const never = new AbortController().signal;
const open = async (limits: { deadlineMs?: number; patienceMs?: number } = {}) => {
  const usual = { deadlineMs: 1500, patienceMs: 10_000, most: 50 };
  const admission = createTurnAdmission(bus, { ...usual, ...limits });
  admissions.push(admission);
  await bus.flush();
  return admission;
};

/** Publishes the report of a tts. */
async function report(
  spare: number | undefined,
  { instance = "one", state = "running" }: { instance?: string; state?: Stats["state"] } = {},
) {
  const vitals = { rss: 1, heap: 1, cpu: 0, cores: 1, loopDelay: 0 };
  const gauges: Record<string, number> = spare === undefined ? {} : { spare };
  const counts = { gauges, totals: {}, drops: {} };
  bus.publish(channels.stats("tts"), {
    program: "tts",
    instance,
    state,
    host: "h",
    pid: 1,
    at: Date.now(),
    uptime: 1,
    ...vitals,
    ...counts,
  });
  await bus.flush();
}

/** Enters a turn. `state` tells what became of it. */
function enter(admission: TurnAdmission, signal = never) {
  const turn = { state: "waiting", told: 0, leave: () => undefined as void, begun: () => undefined as void };
  const input = createInput({ delivery: { ...delivery, storedAt: bus.now() } });
  admission
    .enter(input, () => void (turn.told += 1), signal)
    .then(
      (place) => Object.assign(turn, place, { state: "admitted" }),
      (error: Error) => (turn.state = error.name),
    );
  return turn;
}

test("turn admission: without a report of a tts every turn is admitted", async () => {
  const admission = await open();
  const turns = Array.from({ length: 300 }, () => enter(admission));
  await vi.waitFor(() => expect(turns.every(({ state }) => state === "admitted")).toBe(true));
  await report(undefined);
  const another = enter(admission);
  await vi.waitFor(() => expect(another.state).toBe("admitted"));
});

test("turn admission: no more turns are admitted than all tts can take, and a user is told of a wait", async () => {
  const admission = await open();
  await report(1);
  await report(1, { instance: "two" });
  await report(9, { instance: "three" });
  await report(0, { instance: "three", state: "stopped" });
  const [a, b, c] = [enter(admission), enter(admission), enter(admission)];
  await vi.waitFor(() => expect([a.state, b.state, c.told]).toEqual(["admitted", "admitted", 1]));
  expect([c.state, admission.waiting(), a.told]).toEqual(["waiting", 1, 0]);
  a.leave();
  await vi.waitFor(() => expect(c.state).toBe("admitted"));
});

test("turn admission: a turn is counted until a report of tts counts its reply", async () => {
  const admission = await open();
  await report(1);
  const a = enter(admission);
  await vi.waitFor(() => expect(a.state).toBe("admitted"));
  const b = enter(admission);
  await report(1);
  a.begun();
  a.leave();
  await report(1);
  expect(b.state).toBe("waiting");
  // From now on tts has counted the first one in.
  await expect.poll(async () => report(1).then(() => b.state)).toBe("admitted");
});

test("turn admission: when tts processes cease to report, turns that wait are admitted", async () => {
  const admission = await open();
  await report(0);
  const a = enter(admission);
  await report(undefined, { state: "stopped" });
  await vi.waitFor(() => expect(a.state).toBe("admitted"));
});

test("turn admission: a turn that no one waits for leaves the queue at once", async () => {
  const admission = await open();
  await report(0);
  const abort = new AbortController();
  const a = enter(admission, abort.signal);
  expect(admission.waiting()).toBe(1);
  abort.abort();
  expect(admission.waiting()).toBe(0);
  await vi.waitFor(() => expect(a.state).toBe("AbortError"));
});

test("turn: after its patience it is shed: the gateway is told, and neither the model nor the history", async () => {
  const admission = await open({ deadlineMs: 100, patienceMs: 300 });
  await report(0);
  const worker = createWorker(bus, ["Hello."], { admission });
  const input = createInput({ delivery: { ...delivery, storedAt: bus.now() } });
  const controls: unknown[] = [];
  const { device, session, origin } = input;
  bus.subscribe(channels.out(device), (frame) => void controls.push([frame.body, frame.session, frame.origin]));
  await bus.flush();
  expect(await worker.answer(input)).toBe("shed");
  expect(worker.waits).toEqual([true]);
  await vi.waitFor(() => expect(controls).toEqual([[{ type: "shed" }, session, origin]]));
  expect(worker.requests).toEqual([]);
  expect(await readTexts(bus, device)).toEqual([]);
  expect(await bus.bucket(buckets.dialogues).get(device)).toBeUndefined();
});

test.each([
  { ageMs: 0, modelMs: 1000, isTold: false },
  { ageMs: 1000, modelMs: 1000, isTold: true },
  { ageMs: 0, modelMs: 2000, isTold: true },
  { ageMs: 2000, modelMs: 0, isTold: false },
])("turn: $ageMs ms old, its model free in $modelMs ms, told to wait: $isTold", async ({ ageMs, modelMs, isTold }) => {
  const pool = createPool({ name: "model", slots: 1, timeoutMs: 1000 });
  const engine: LlmEngine = {
    name: "test",
    pool: { ...pool, waitMs: () => modelMs },
    async *respond() {
      yield { type: "text", text: "Hello." };
    },
  };
  const worker = createWorker(bus, [], { engine });
  await worker.answer(createInput({ delivery: { ...delivery, storedAt: bus.now() - ageMs } }));
  expect(worker.waits).toEqual([isTold]);
});

test.each(["fenced", "offline"] as const)("turn: while it waits it can end at once, %s", async (outcome) => {
  const admission = await open();
  await report(0);
  let gone = () => undefined as void;
  const follow = (_: unknown, lose: () => void) => {
    gone = lose;
    return { close: () => undefined };
  };
  const worker = createWorker(bus, ["Hello."], { admission, follow });
  const input = createInput({ delivery: { ...delivery, storedAt: bus.now() } });
  const ended = worker.answer(input);
  await vi.waitFor(() => expect(admission.waiting()).toBe(1));
  if (outcome === "fenced") worker.fence(input.session, input.origin);
  else gone();
  expect(admission.waiting()).toBe(0);
  expect(await ended).toBe(outcome);
  expect(worker.requests).toEqual([]);
});

test("turn: one that another worker had is admitted at once", async () => {
  const admission = await open();
  await report(0);
  const worker = createWorker(bus, ["Hello."], { admission });
  const input = createInput({ delivery: { ...delivery, attempt: 2, storedAt: bus.now() } });
  expect(await worker.answer(input)).toBe("answered");
});

test("turn: it is shed if the model's pool refuses it before anything was said", async () => {
  const engine: LlmEngine = {
    name: "full",
    respond: () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new PoolFullError("full", "100 jobs already wait for the pool model")),
      }),
    }),
  };
  const worker = createWorker(bus, [], { engine });
  const input = createInput();
  expect(await worker.answer(input)).toBe("shed");
  expect(await readTexts(bus, input.device)).toEqual([]);
});

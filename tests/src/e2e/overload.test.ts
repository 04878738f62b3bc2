import { setTimeout as delay } from "node:timers/promises";
import { writeWav } from "@voxbus/audio";
import { foreignVariables, openTestDevice, startModelServer, type ModelServer, type TestDevice } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";

/** The replies that tts speaks at the same time, and how long its speech server takes for one on average, ms. */
const places = 8;
const speechMs = 1000;
const capacity = (places * 1000) / speechMs;
const patienceMs = 4000;
const answerText = "Here is the answer.";
const sound = writeWav({ sampleRate: 24_000, samples: new Int16Array(24_000 * 0.6).fill(1000) });

/** Sentences that wait for the speech server, which speaks no more than `places` sentences at the same time. */
const waiting: (() => void)[] = [];
let speaking = 0;
let spoken = 0;

/**
 * Gives how long the next sentence takes, ms. With equal times, one stall of the machine would put the places in step: all would
 * become free at once. Few turns have waited only briefly then, so the other places would go to late ones.
 */
function nextSpeechMs(): number {
  spoken += 1;
  return speechMs * (0.5 + ((spoken * 0.618) % 1));
}

async function speak(): Promise<Uint8Array> {
  if (speaking >= places) await new Promise<void>((resolve) => waiting.push(resolve));
  else speaking += 1;
  await delay(nextSpeechMs());
  const next = waiting.shift();
  if (next) next();
  else speaking -= 1;
  return sound;
}

let server: ModelServer;
let system: LaunchedSystem;
const devices: TestDevice[] = [];

beforeAll(async () => {
  server = await startModelServer({
    chat: () => [answerText],
    speak,
  });
  system = await launchSystem({
    env: {
      ...foreignVariables,
      VOXBUS_LLM_ENGINE: "openai",
      VOXBUS_LLM_URL: server.url,
      VOXBUS_LLM_REQUESTS: "50",
      VOXBUS_TTS_ENGINE: "openai",
      VOXBUS_TTS_URL: server.url,
      VOXBUS_TTS_REPLIES: String(places),
      VOXBUS_TURN_PATIENCE_MS: String(patienceMs),
    },
  });
}, 90_000);
afterAll(async () => {
  for (const device of devices) device.vanish();
  await system?.close();
  await server?.close();
}, 60_000);

/** A turn as its device sees it. Times in ms since it was typed. */
interface Turn {
  told?: number;
  shed?: number;
  sounded?: number;
  readonly ended: Promise<void>;
}

/** Connects a device, and types a question. */
async function connect(id: string): Promise<() => Turn> {
  let take: (message: Readonly<Record<string, unknown>>) => void = () => undefined;
  const device = await openTestDevice(system.devices[0]!, {
    id,
    hello: { type: "hello", version: 1, transport: "websocket" },
    onReceived: (received) => take("json" in received ? received.json : { type: "sound" }),
  });
  devices.push(device);
  return () => {
    const at = performance.now();
    const age = () => performance.now() - at;
    let end: () => void;
    let isAnswered = false;
    const turn: Turn = { ended: new Promise((resolve) => (end = resolve)) };
    take = ({ type, state, status, text }) => {
      if (type === "alert" && status === "Wait") turn.told ??= age();
      if (type === "alert" && status === "Sorry") turn.shed ??= age();
      if (type === "tts" && state === "sentence_start" && text === answerText) isAnswered = true;
      if (type === "sound" && isAnswered) turn.sounded ??= age();
      if (type === "tts" && state === "stop") end();
    };
    device.send({ type: "listen", state: "detect", text: "what is the question" });
    return turn;
  };
}

/** Asks `perSecond` questions, one a device, and resolves with the turns when all have ended. */
async function flood(asks: readonly (() => Turn)[], perSecond: number): Promise<Turn[]> {
  const turns: Turn[] = [];
  const began = performance.now();
  for (const [n, ask] of asks.entries()) {
    await delay(Math.max(0, began + (n * 1000) / perSecond - performance.now()));
    turns.push(ask());
  }
  await Promise.all(turns.map(({ ended }) => ended));
  return turns;
}

/** Measures how long a device that asks nothing waits for a pong, until it is stopped. */
async function watchBystander(id: string) {
  const device = await openTestDevice(system.devices[0]!, { id });
  devices.push(device);
  const waits: number[] = [];
  const stopped = new AbortController();
  const pinging = (async () => {
    while (!stopped.signal.aborted) {
      const at = performance.now();
      device.send({ type: "ping" });
      await device.next(({ type }) => type === "pong");
      waits.push(performance.now() - at);
      await delay(50);
    }
  })();
  return async () => {
    stopped.abort();
    await pinging;
    return waits;
  };
}

const quantile = (values: readonly number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))] ?? Number.NaN;
const soundsOf = (turns: readonly Turn[]) => turns.flatMap(({ sounded }) => sounded ?? []);

test("overload: at twice the capacity as many turns are answered as fit, as fast as before, and every other device is told", async () => {
  const connectAll = (name: string, count: number) =>
    Promise.all(Array.from({ length: count }, (_, n) => connect(`${name}-${n}`)));
  await flood(await connectAll("warm", 8), capacity / 2);

  const calm = await watchBystander("calm");
  const before = await flood(await connectAll("before", 6 * capacity * 0.5), capacity / 2);
  const calmWaits = await calm();
  const seconds = 10;
  const asks = await connectAll("flood", seconds * capacity * 2);
  const stormy = await watchBystander("stormy");
  const turns = await flood(asks, capacity * 2);
  const stormyWaits = await stormy();

  const prompt = turns.filter(({ sounded, told, shed }) => sounded !== undefined && (told ?? shed) === undefined);
  const others = turns.filter((turn) => !prompt.includes(turn));
  // A machine with other work stands still now and then. The bystander's longest wait says for how long.
  const stallMs = Math.max(...stormyWaits);
  const toldAt = ({ told = Infinity, shed = Infinity }: Turn) => Math.min(told, shed);
  if (process.env["VOXBUS_TEST_FIGURES"]) {
    const round = (values: readonly number[]) => [0.5, 0.95, 1].map((share) => Math.round(quantile(values, share)));
    const figures = {
      before: round(soundsOf(before)),
      prompt: [prompt.length, ...round(soundsOf(prompt))],
      late: soundsOf(others).length,
      shed: others.filter(({ shed }) => shed !== undefined).length,
      told: round(others.map(toldAt)),
      bystander: [...round(calmWaits), ...round(stormyWaits)],
    };
    process.stderr.write(`${JSON.stringify(figures)}\n`);
  }

  expect(before.every(({ sounded, told, shed }) => sounded !== undefined && (told ?? shed) === undefined)).toBe(true);
  // Every turn was answered or shed.
  expect(turns.filter(({ sounded, shed }) => (sounded === undefined) === (shed === undefined))).toEqual([]);
  expect(soundsOf(turns).length).toBeGreaterThan(0.8 * seconds * capacity);
  expect(prompt.length).toBeGreaterThan(0.6 * seconds * capacity);
  expect(quantile(soundsOf(prompt), 0.5)).toBeLessThan(quantile(soundsOf(before), 0.5) + 300 + stallMs);
  expect(others.filter((turn) => toldAt(turn) > 500 + stallMs)).toEqual([]);
  expect(quantile(stormyWaits, 0.5)).toBeLessThan(quantile(calmWaits, 0.95) + 50);
}, 120_000);

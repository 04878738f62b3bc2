import { writeWav } from "@voxbus/audio";
import type { Bus } from "@voxbus/bus";
import { createRegistry, type Registry } from "@voxbus/presence";
import { channels, type Stats } from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import {
  connectTestBus,
  createTone,
  startModelServer,
  startNatsServer,
  type ModelServer,
  type NatsServer,
} from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { buildTts, tts } from "./app.ts";
import { openReplyGateway } from "./test-reply-gateway.ts";

vi.setConfig({ testTimeout: 60_000 });
const patience = { timeout: 30_000 };

let nats: NatsServer;
let bus: Bus;
let registry: Registry;
let server: ModelServer;
let running: Running;
/** Functions that let the speech server answer its open requests, by text. `most`: the most that it ever had. */
const open = new Map<string, () => void>();
let most = 0;

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  const load = () => ({ connections: 2, speaking: 0 });
  registry = await createRegistry(bus, { id: "g", address: "http://127.0.0.1:1", load });
  const speak = (ms: number) => writeWav({ sampleRate: 24_000, samples: createTone(24_000, ms) });
  const [short, long] = [speak(300), speak(8000)];
  server = await startModelServer({
    async speak({ input }, { gone }) {
      await new Promise<void>((resolve) => {
        open.set(input, resolve);
        most = Math.max(most, open.size);
        gone.addEventListener("abort", () => open.delete(input));
      });
      return input.startsWith("Long") ? long : short;
    },
  });
  running = await startSubscriber(tts, buildTts, {
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_TTS_OPS_PORT: "0",
    VOXBUS_LOG_LEVEL: "fatal",
    VOXBUS_TTS_ENGINE: "openai",
    VOXBUS_TTS_URL: server.url,
    VOXBUS_TTS_REQUESTS: "2",
    VOXBUS_TTS_FIRST_SOUND_MS: "50000",
    VOXBUS_TTS_PATIENCE_MS: "50000",
  });
});
afterAll(async () => {
  await running.stop("quick");
  await server.close();
  await registry.close();
  await bus.close();
  await nats.stop();
});

async function connectDevice() {
  const gateway = openReplyGateway(bus);
  const { device, session } = gateway;
  const entry = { session, since: 1, remote: "", protocol: 1, features: {}, state: "active" as const };
  await registry.enter(device, entry, new AbortController().signal);
  return gateway;
}
const finish = async (text: string) => {
  await vi.waitFor(() => expect([...open.keys()]).toContain(text), patience);
  const answer = open.get(text)!;
  open.delete(text);
  answer();
};

test("tts: texts beyond the engine's slots wait; a reply comes before an announcement, its own next sentence before others", async () => {
  const reports: Stats[] = [];
  const following = bus.subscribe(channels.stats("tts"), (stats) => void reports.push(stats));
  const [one, two, three, announced, four] = await Promise.all(Array.from({ length: 5 }, connectDevice));
  await Promise.all([
    one!.say({ sentence: 0, text: "Reply one." }),
    one!.say({ sentence: 1, text: "And its end.", last: true }),
    two!.say({ sentence: 0, text: "Reply two.", last: true }),
  ]);
  await vi.waitFor(() => expect([...open.keys()].sort()).toEqual(["Reply one.", "Reply two."]), patience);
  await bus.store(channels.sayOpen(announced!.device), {
    reply: announced!.reply,
    session: announced!.session,
    attempt: 1,
    sentence: 0,
    text: "Announcement.",
    last: true,
  });
  await Promise.all([
    three!.say({ sentence: 0, text: "Reply three.", last: true }),
    four!.say({ sentence: 0, text: "Reply four.", last: true }),
  ]);
  const pool = () => reports.at(-1)?.pools?.find(({ name }) => name === "synthesis");
  await vi.waitFor(
    () =>
      expect(pool()).toMatchObject({
        slots: 2,
        work: [{ priority: "high", running: 2, waiting: 2, peak: 2 }, { priority: "normal", waiting: 1 }, {}],
      }),
    patience,
  );
  expect(reports.at(-1)!.pools!.map(({ name }) => name)).toEqual(expect.arrayContaining(["opus-out", "synthesis"]));
  await finish("Reply one.");
  const rest = ["Reply three.", "Reply four."];
  await vi.waitFor(() => expect(open.size).toBe(2), patience);
  // A slot was free between the sentences of the reply: one of the others has it. The next sentence waits.
  await vi.waitFor(
    () => expect(pool()).toMatchObject({ work: [{ done: 1, running: 2, waiting: 2 }, {}, {}] }),
    patience,
  );
  const [begun] = rest.filter((text) => open.has(text));
  await finish(begun!);
  await finish("And its end.");
  const [last] = rest.filter((text) => text !== begun);
  await finish(last!);
  await finish("Reply two.");
  await finish("Announcement.");
  for (const gateway of [one, two, three, announced, four])
    await gateway!.until((frames) => frames.at(-1)?.end === "reply");
  expect(most).toBe(2);
  for (const gateway of [one, two, three, announced, four]) gateway!.played({ reply: gateway!.reply });
  following.close();
});

test("tts: an abort of the device closes the speech server's request, and gives its slot to the next reply", async () => {
  const [one, two, three] = await Promise.all(Array.from({ length: 3 }, connectDevice));
  await Promise.all([
    one!.say({ sentence: 0, text: "First.", last: true }),
    two!.say({ sentence: 0, text: "Second.", last: true }),
  ]);
  await vi.waitFor(() => expect([...open.keys()].sort()).toEqual(["First.", "Second."]), patience);
  await three!.say({ sentence: 0, text: "Third.", last: true });
  const cancelled = server.whenCancelled();
  await one!.control({ type: "abort" });
  await cancelled;
  await vi.waitFor(() => expect([...open.keys()].sort()).toEqual(["Second.", "Third."]), patience);
  await Promise.all([finish("Second."), finish("Third.")]);
  for (const gateway of [two, three]) await gateway!.until((frames) => frames.at(-1)?.end === "reply");
  for (const gateway of [two, three]) gateway!.played({ reply: gateway!.reply });
});

test("tts: a sentence whose listener has sound for seconds waits for the first one of another device", async () => {
  const [one, two, three, four] = await Promise.all(Array.from({ length: 4 }, connectDevice));
  await one!.say({ sentence: 0, text: "Long story." });
  await two!.say({ sentence: 0, text: "Slow.", last: true });
  await vi.waitFor(() => expect(open.size).toBe(2), patience);
  await three!.say({ sentence: 0, text: "Third.", last: true });
  await one!.say({ sentence: 1, text: "It goes on.", last: true });
  await finish("Long story.");
  await vi.waitFor(() => expect([...open.keys()]).toEqual(["Slow.", "Third."]), patience);
  await one!.until((frames) => frames.some(({ end }) => end === "sentence"));
  await four!.say({ sentence: 0, text: "Fourth.", last: true });
  await vi.waitFor(() => expect(four!.signs).toContain(true), patience);
  await finish("Slow.");
  await vi.waitFor(() => expect([...open.keys()]).toEqual(["Third.", "Fourth."]), patience);
  for (const text of ["Third.", "Fourth.", "It goes on."]) await finish(text);
  for (const gateway of [one, two, three, four]) await gateway!.until((frames) => frames.at(-1)?.end === "reply");
  for (const gateway of [one, two, three, four]) gateway!.played({ reply: gateway!.reply });
});

test("tts: a device is told that its reply waits for the engine, until it sounds; an announcement is not", async () => {
  const [one, two, three, announced] = await Promise.all(Array.from({ length: 4 }, connectDevice));
  await Promise.all([
    one!.say({ sentence: 0, text: "It speaks.", last: true }),
    two!.say({ sentence: 0, text: "It speaks too.", last: true }),
  ]);
  await vi.waitFor(() => expect(open.size).toBe(2), patience);
  await announced!.say({ sentence: 0, text: "It is told.", last: true, origin: undefined });
  await three!.say({ sentence: 0, text: "It waits." });
  await three!.say({ sentence: 1, text: "It has waited.", last: true });
  await vi.waitFor(() => expect(three!.signs).toContain(true), { timeout: 5000 });
  // For the gateway a reply with frames has begun, and then it tells no one.
  expect(three!.frames).toEqual([]);
  await finish("It speaks.");
  await finish("It waits.");
  await three!.until((frames) => frames.some(({ kind }) => kind === "audio"));
  await finish("It speaks too.");
  await finish("It has waited.");
  await finish("It is told.");
  for (const gateway of [one, two, three, announced]) await gateway!.until((frames) => frames.at(-1)?.end === "reply");
  expect(three!.signs.at(-1)).toBe(false);
  for (const gateway of [one, two, announced]) expect(gateway!.signs).not.toContain(true);
  for (const gateway of [one, two, three, announced]) gateway!.played({ reply: gateway!.reply });
});

import { setTimeout as sleep } from "node:timers/promises";
import { createGrammar, garbagePrefix, intents } from "@voxbus/intents";
import { Profile, channels } from "@voxbus/protocol";
import {
  connectTestBus,
  encodeSpeech,
  loadSpeech,
  openTestGateway,
  silence,
  silentLog,
  startNatsServer,
} from "@voxbus/testing";
import { createWorkerPool, readClock, type WorkerPool } from "@voxbus/workers";
import { expect, onTestFinished, test } from "vitest";
import type { AudioFrontEndContract } from "./audio-front-end-worker.ts";
import type { FrontEndInput } from "./audio-front-end.ts";
import { createEmbeddedEngine } from "./engines/embedded.ts";
import type { ListenDeps } from "./listen-deps.ts";
import { followListen } from "./listen.ts";

type Threads = WorkerPool<AudioFrontEndContract>;

/** Opens a session of a device whose listens are followed, with front ends that are made of real threads. */
async function connect(wrap: (threads: Threads) => ListenDeps["frontEnds"]) {
  const nats = await startNatsServer();
  const bus = await connectTestBus(nats.url);
  const engine = await createEmbeddedEngine({
    grammar: createGrammar(intents),
    garbagePrefix,
    judge: () => "unknown",
    threads: 1,
    decoders: 1,
    log: silentLog,
  });
  const pool = createWorkerPool<AudioFrontEndContract>({
    url: new URL("../dist/threads/audio-front-end-worker.js", import.meta.url),
    size: 1,
    workerData: null,
  });
  const deps: ListenDeps = {
    bus,
    log: silentLog,
    metrics: { utteranceEnded: () => undefined, engineRan: () => undefined, invalidPacket: () => undefined },
    enginesOf: () => [engine],
    frontEnds: wrap(pool),
    profileOf: () => Profile.parse({}),
    settings: {
      endMs: 5000,
      maxMs: 30_000,
      transcriptMs: 20_000,
      deadlineMs: 1500,
      idleMs: { open: 300, manual: 300 },
      traceContent: false,
    },
    stopping: new AbortController().signal,
  };
  const claims = await bus.claim({
    channel: channels.inControlOpen("*"),
    durable: "asr",
    slots: 1,
    work: (claim) => followListen(claim, deps),
  });
  const device = openTestGateway(bus, "late");
  onTestFinished(async () => {
    device.close();
    await claims.drain(0);
    await pool.close();
    await engine.close();
    await bus.close();
    await nats.stop();
  });
  return device;
}

test("listen: speech ends without a further frame, even if the front end is later than the timer", async () => {
  const delayed = async function* <T>(results: AsyncIterable<T>) {
    await sleep(2500);
    yield* results;
  };
  const device = await connect(({ open, grow }) => ({
    grow,
    open(request, signal) {
      const task = open(request, signal);
      return { ...task, results: delayed(task.results) };
    },
  }));
  await device.listen("auto");
  device.send(encodeSpeech(loadSpeech("time")));
  expect((await device.heard()).text).toBe("what time is it");
}, 20_000);

test("listen: when packets come late to their thread, another one is asked for", async () => {
  let isAsked = false;
  const device = await connect(({ open }) => ({
    grow: () => void (isAsked = true),
    open(request, signal) {
      const task = open(request, signal);
      const delay = (input: FrontEndInput) =>
        input.type === "packet" && input.sentAt !== undefined ? { ...input, sentAt: readClock() - 200 } : input;
      return { ...task, write: (input) => task.write(delay(input)) };
    },
  }));
  await device.listen("realtime");
  device.send(encodeSpeech(silence(3000)));
  await sleep(500);
  expect(isAsked).toBe(false);
  const sending = setInterval(() => device.send(encodeSpeech(silence(60))), 60);
  onTestFinished(() => clearInterval(sending));
  await expect.poll(() => isAsked, { timeout: 10_000 }).toBe(true);
}, 20_000);

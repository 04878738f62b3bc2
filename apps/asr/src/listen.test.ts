import { setTimeout as sleep } from "node:timers/promises";
import { createGrammar, garbagePrefix, intents } from "@voxbus/intents";
import { Profile, channels } from "@voxbus/protocol";
import { connectTestBus, encodeSpeech, loadSpeech, openTestGateway, silentLog, startNatsServer } from "@voxbus/testing";
import { createWorkerPool } from "@voxbus/workers";
import { expect, onTestFinished, test } from "vitest";
import type { AudioFrontEndContract } from "./audio-front-end-worker.ts";
import { createEmbeddedEngine } from "./engines/embedded.ts";
import type { ListenDeps } from "./listen-deps.ts";
import { followListen } from "./listen.ts";

test("listen: speech ends without a further frame, even if the front end is later than the timer", async () => {
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
  const delayed = async function* <T>(results: AsyncIterable<T>) {
    await sleep(2500);
    yield* results;
  };
  const frontEnds: ListenDeps["frontEnds"] = {
    ...pool,
    open(request, signal) {
      const task = pool.open(request, signal);
      return { ...task, results: delayed(task.results) };
    },
  };
  const deps: ListenDeps = {
    bus,
    log: silentLog,
    metrics: { utteranceEnded: () => undefined, engineRan: () => undefined, invalidPacket: () => undefined },
    enginesOf: () => [engine],
    frontEnds,
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
  await device.listen("auto");
  device.send(encodeSpeech(loadSpeech("time")));
  expect((await device.heard()).text).toBe("what time is it");
}, 20_000);

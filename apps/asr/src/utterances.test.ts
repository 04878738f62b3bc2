import { setTimeout as sleep } from "node:timers/promises";
import { createPool } from "@voxbus/pools";
import { Profile } from "@voxbus/protocol";
import { connectTestBus, silentLog, startModelServer, startNatsServer } from "@voxbus/testing";
import { expect, onTestFinished, test } from "vitest";
import { createOpenAiEngine } from "./engines/openai.ts";
import { createListenMessages } from "./listen-messages.ts";
import { openTranscriptStore } from "./transcript-store.ts";
import { createUtterances } from "./utterances.ts";

const voicing = { voicedMs: 1000, pitchedMs: 1000 };

/** Creates the utterances of a listen. Their recognizer takes 400 ms, and tells that the next one would wait for 200 ms. */
async function listen(deadlineMs: number) {
  const nats = await startNatsServer();
  const bus = await connectTestBus(nats.url);
  const server = await startModelServer({ transcribe: () => sleep(400, "what time is it") });
  const pool = createPool({ name: "recognition", slots: 9, timeoutMs: 10_000 });
  const engine = createOpenAiEngine({ url: server.url, model: "small", pool });
  onTestFinished(async () => {
    await engine.close();
    await server.close();
    await bus.close();
    await nats.stop();
  });
  const { signal } = new AbortController();
  const pauses = { end: 600, ask: 300, of: () => 600 };
  const about = { device: "test-1", session: "s1", seq: 1, mode: "auto", pauses, sent: {}, trace: {} } as const;
  const waits: number[] = [];
  const outcomes: string[] = [];
  const onTranscript: (() => void)[] = [];
  const utterances = createUtterances(
    {
      bus,
      log: silentLog,
      metrics: {
        utteranceEnded: (outcome) => outcomes.push(outcome),
        engineRan: () => undefined,
        invalidPacket: () => undefined,
      },
      enginesOf: () => [{ ...engine, waitMs: () => 200 }],
      frontEnds: { open: () => expect.unreachable(), grow: () => undefined },
      profileOf: () => Profile.parse({}),
      settings: {
        endMs: 600,
        maxMs: 30_000,
        transcriptMs: 20_000,
        deadlineMs,
        idleMs: { open: 3000, manual: 3000 },
        traceContent: false,
      },
      stopping: signal,
    },
    {
      listen: about,
      transcripts: await openTranscriptStore({ bus, device: "test-1", session: "s1" }),
      messages: {
        ...createListenMessages(bus, about),
        waits: (origin) => waits.push(origin),
        transcript: () => onTranscript.shift()?.(),
      },
      said: { since: () => [] },
      onPause: () => undefined,
      signal,
      onConcluded: () => undefined,
      onFailed: (error) => expect.unreachable(error.message),
    },
  );
  const say = (from: number) => {
    utterances.begin(from);
    utterances.write(new Int16Array(16_000));
    utterances.end(from + 10, voicing);
  };
  return { utterances, say, waits, outcomes, onTranscript };
}

test("utterances: one that waited for the one before it is told to wait when both times are past the deadline", async () => {
  const { utterances, say, waits } = await listen(500);
  say(10);
  say(30);
  await utterances.settled();
  expect(waits).toEqual([40]);
});

test("utterances: a fence discards those that are not recognized yet, and one that is being stored was heard", async () => {
  const { utterances, say, outcomes, onTranscript } = await listen(500);
  for (const from of [10, 30, 50]) say(from);
  onTranscript.push(() => utterances.fence(40));
  await utterances.settled();
  expect(outcomes).toEqual(["discarded", "heard", "heard"]);
});

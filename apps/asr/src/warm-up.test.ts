import { startModelServer, silentLog } from "@voxbus/testing";
import { createWorkerPool } from "@voxbus/workers";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import type { AudioFrontEndContract } from "./audio-front-end-worker.ts";
import { asrConfig } from "./config.ts";
import { warmUp } from "./warm-up.ts";

const never = new AbortController().signal;

async function createDeps(variables: object) {
  const config = z.object(asrConfig).parse(variables);
  const frontEnds = createWorkerPool<AudioFrontEndContract>({
    url: new URL("../dist/threads/audio-front-end-worker.js", import.meta.url),
    size: 2,
    perWorker: 10,
    workerData: null,
  });
  onTestFinished(() => frontEnds.close());
  await frontEnds.ready();
  const heard: string[][] = [];
  const watched: typeof frontEnds = {
    ...frontEnds,
    open(request, signal) {
      const task = frontEnds.open(request, signal);
      const events: string[] = [];
      heard.push(events);
      async function* read() {
        for await (const result of task.results) {
          events.push(...result.map(({ type }) => type));
          yield result;
        }
      }
      return { ...task, results: read() };
    },
  };
  return { heard, deps: { config, frontEnds: watched, log: silentLog } };
}

test("warm-up: every front-end thread hears a whole utterance", async () => {
  const { heard, deps } = await createDeps({});
  await warmUp(deps, never);
  expect(heard).toHaveLength(2);
  for (const events of heard)
    expect(events.filter((type) => type !== "speech")).toEqual(["onset", "pause", "end", "flushed"]); // prettier-ignore
});

test("warm-up: a recognizer's server is not asked, a stand-in is", async () => {
  const server = await startModelServer({ transcribe: () => 500 });
  onTestFinished(() => server.close());
  const { deps } = await createDeps({ VOXBUS_ASR_ENGINE: "openai", VOXBUS_ASR_URL: server.url });
  await warmUp(deps, never);
  expect(server.requests.transcription).toEqual([]);
});

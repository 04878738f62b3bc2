import { metrics } from "@opentelemetry/api";
import { readWav } from "@voxbus/audio";
import { createEngineSet } from "@voxbus/engines";
import { createPool } from "@voxbus/pools";
import { findFreePort, loadSpeech, silentLog, startModelServer, type ModelScript } from "@voxbus/testing";
import { expect, onTestFinished, test } from "vitest";
import { createOpenAiEngine } from "./engines/openai.ts";
import { probeEngine, watchEngine } from "./engines/watch.ts";
import { openRecognition } from "./recognize.ts";

const never = new AbortController().signal;

function createRecognizer(name: string, url: string, timeoutMs = 30_000) {
  return createOpenAiEngine({ name, url, model: name, pool: createPool({ name, slots: 4, timeoutMs }) });
}

/** The recognizers `local` and `cloud`, and the transcript of a sentence that they hear. */
async function createTested(
  local: ModelScript["transcribe"],
  {
    coolMs = 60_000,
    timeoutMs = 30_000,
    cloud = () => "from the cloud",
  }: { coolMs?: number; timeoutMs?: number; cloud?: ModelScript["transcribe"] } = {},
) {
  const servers = await Promise.all([local, cloud].map((transcribe) => startModelServer({ transcribe })));
  for (const server of servers) onTestFinished(() => server.close());
  const [first, second] = servers as [(typeof servers)[0], (typeof servers)[0]];
  const set = createEngineSet({
    engines: [createRecognizer("local", first.url, timeoutMs), createRecognizer("cloud", second.url)],
    usual: ["local", "cloud"],
    watch: watchEngine,
    probe: probeEngine,
    log: silentLog,
    meter: metrics.getMeter("test"),
    coolDown: { firstMs: coolMs, mostMs: coolMs },
  });
  onTestFinished(() => set.close());
  const failed: string[] = [];
  const hear = async () => {
    const request = {
      language: "en",
      transcriptMs: 60_000,
      onFailed: (_: unknown, { name }: { name: string }) => failed.push(name),
    };
    const recognition = openRecognition(set.choose(undefined), request, never);
    const speech = loadSpeech("time");
    for (let at = 0; at < speech.length; at += 1600) recognition.write(speech.subarray(at, at + 1600));
    const { text, reason } = await recognition.finish();
    return { text, reason, engine: recognition.engine.name };
  };
  return { hear, set, first, second, failed };
}

test.each([
  ["a bad key", () => 401],
  ["a used-up quota", () => ({ status: 429, body: { error: { code: "insufficient_quota" } } })],
  ["a server that is down", () => 503],
  ["a dropped connection", () => ({ end: "drop" as const })],
  ["an answer that does not come", () => ({ end: "hang" as const })],
  ["an answer that is a web page", () => ({ status: 200, body: "<!doctype html><title>Sign in</title>" })],
])("failover: after %s the next recognizer hears the whole utterance", async (name, local) => {
  const timeoutMs = name.includes("does not come") ? 300 : 30_000;
  const { hear, set, first, second } = await createTested(local, { timeoutMs });
  expect(await hear()).toEqual({ text: "from the cloud", reason: undefined, engine: "cloud" });
  const { samples } = readWav(Buffer.from(second.requests.transcription[0]!.wav));
  expect(samples.length).toBe(loadSpeech("time").length);
  expect(set.unusable()).toBe(1);
  expect((await hear()).engine).toBe("cloud");
  expect(first.requests.transcription.length).toBeLessThan(2);
});

test("failover: a bad request fails, and no other recognizer is asked", async () => {
  const { hear, second, failed } = await createTested(() => 400);
  expect(await hear()).toMatchObject({ text: "", reason: "failed" });
  expect([second.requests.transcription.length, failed]).toEqual([0, ["local"]]);
});

test("failover: if all recognizers are down, the utterance has failed", async () => {
  const { hear, failed } = await createTested(() => 503, { cloud: () => 401 });
  expect(await hear()).toMatchObject({ text: "", reason: "failed" });
  expect(failed).toEqual(["local", "cloud"]);
});

test("failover: a probe in the background finds a recognizer that works again", async () => {
  let isDown = true;
  const { hear, set } = await createTested(() => (isDown ? 503 : "from here"), { coolMs: 20 });
  expect((await hear()).engine).toBe("cloud");
  isDown = false;
  await expect.poll(() => set.unusable()).toBe(0);
  expect(await hear()).toMatchObject({ text: "from here", engine: "local" });
});

test("failover: an utterance that is discarded asks no other recognizer", async () => {
  const { set, second } = await createTested(() => ({ end: "hang" }));
  const request = { language: "en", transcriptMs: 60_000, onFailed: () => expect.unreachable() };
  const recognition = openRecognition(set.choose(undefined), request, never);
  const finished = recognition.finish();
  recognition.discard();
  expect(await finished).toMatchObject({ reason: "failed" });
  expect([second.requests.transcription.length, set.unusable()]).toEqual([0, 0]);
});

test("failover: a recognizer that is closed gives way at once", async () => {
  const { set, second } = await createTested(() => "no");
  const closed = createRecognizer("closed", `http://127.0.0.1:${await findFreePort()}/v1`);
  await closed.close();
  const request = { language: "en", transcriptMs: 60_000, onFailed: () => undefined };
  const recognition = openRecognition([closed, ...set.choose("cloud")], request, never);
  recognition.write(loadSpeech("time"));
  expect(await recognition.finish()).toMatchObject({ text: "from the cloud" });
  expect(second.requests.transcription.length).toBe(1);
});

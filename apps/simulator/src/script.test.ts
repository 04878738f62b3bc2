import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { readWav, writeWav } from "@voxbus/audio";
import { createTone } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { answering, startScriptedServer, type ServerScript } from "./test-server.ts";
import { runScript } from "./script.ts";
import { encodeSilence } from "./utterance.ts";

let directory: string;
let wav: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "voxbus-"));
  wav = join(directory, "tone.wav");
  await writeFile(wav, writeWav({ sampleRate: 16_000, samples: createTone(16_000, 180) }));
});
afterAll(() => rm(directory, { recursive: true }));

const closed = 3;
const answered = { do: "wait", for: { type: "tts", state: "stop" }, ms: 3000 };

async function run(
  script: ServerScript,
  commands: readonly (object | string)[],
  more: { noHello?: boolean; hex?: boolean; reconnect?: "use"; signal?: AbortSignal } = {},
) {
  const server = await startScriptedServer(script);
  const input = new PassThrough();
  const output = new PassThrough();
  let printed = "";
  output.on("data", (chunk) => (printed += String(chunk)));
  for (const command of commands) input.write(`${typeof command === "string" ? command : JSON.stringify(command)}\n`);
  if (!more.signal) input.end();
  const identity = { url: server.url, id: "a", clientId: "b", protocol: 1 } as const;
  const quirks = { noHello: more.noHello ?? false, noRelisten: true, reconnect: more.reconnect };
  try {
    const exitCode = await runScript(
      {
        device: { identity, mode: "auto", silence: encodeSilence(), quirks },
        out: undefined,
        hex: more.hex ?? false,
        timeoutMs: 1000,
        input,
        output,
      },
      more.signal,
    );
    const lines = printed
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, never>);
    const session = server.sessions[0];
    // The last commands may still be on their way to the server.
    await expect.poll(() => session?.socket.readyState ?? closed).toBe(closed);
    return { exitCode, lines, session };
  } finally {
    await server.stop();
  }
}
const shape = (line: Record<string, { type?: string; state?: string; do?: string }>) =>
  line["sent"]?.type ??
  line["did"]?.do ??
  ((line["got"] as unknown) === "json" ? `${line["message"]!.type}/${line["message"]!.state ?? ""}` : line["got"]);

test("script: it prints a spoken turn in order with times, and saves the sound", async () => {
  const file = join(directory, "answer.wav");
  const { exitCode, lines } = await run(answering, [
    { do: "wav", file: wav },
    answered,
    { do: "save", file },
    { do: "close" },
  ]);
  expect(exitCode).toBe(0);
  expect(lines.map(shape)).toEqual([
    "hello", "hello/", "listen", "wav", "stt/", "tts/start", "llm/", "tts/sentence_start", "audio", "audio", "audio",
    "tts/stop", "wait", "save", "close", "close",
  ]); // prettier-ignore
  const times = lines.map(({ t }) => Number(t));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(lines.find(({ got }) => got === "audio")).toMatchObject({ ms: 60, played: true });
  expect(lines[3]).toMatchObject({ complete: true, speechEnd: expect.any(Number) as number });
  expect(readWav(await readFile(file)).samples).toHaveLength(3 * 1440);
});

test("script: it sends raw, binary, burst and typed input unchanged, even before hello", async () => {
  const { session, exitCode, lines } = await run(
    answering,
    [
      { do: "binary", hex: "00ff10" },
      { do: "hello" },
      { do: "wait", for: { type: "hello" } },
      { do: "wav", file: wav, burst: true },
      { do: "raw", text: '{"type":"ping"}' },
      { do: "text", text: "hi" },
      answered,
      { do: "abort", reason: "wake_word_detected" },
    ],
    { noHello: true, hex: true },
  );
  expect(exitCode).toBe(0);
  expect(session?.frames[0]?.data.toString("hex")).toBe("00ff10");
  expect(session?.frames).toHaveLength(4);
  expect(session?.messages).toMatchObject([
    { type: "hello" },
    { type: "ping" },
    { type: "listen", state: "detect", text: "hi" },
    { type: "abort", reason: "wake_word_detected" },
  ]);
  expect(lines.find(({ got }) => got === "audio")?.["hex"]).toMatch(/^[0-9a-f]+$/);
});

test("script: the user's button, push to talk, wake word and noise are those of the device", async () => {
  const { session, exitCode } = await run({}, [{ do: "wake", text: "Hi, ESP", file: wav }, { do: "button" }]);
  expect(exitCode).toBe(0);
  expect(session?.messages.map(({ state }) => state)).toEqual([undefined, "detect", "start"]);
  expect(session?.frames).toHaveLength(3);
  const pressed = await run({}, [
    { do: "press" },
    { do: "noise", kind: "slams" },
    { do: "stop" },
    { do: "close", how: "goodbye" },
  ]);
  expect(pressed.session?.messages.map(({ type, state }) => state ?? type)).toEqual([
    "hello",
    "start",
    "stop",
    "goodbye",
  ]);
  expect(pressed.session?.frames.length).toBeGreaterThanOrEqual(10);
});

test("script: it can abort a recording that is said in the background", async () => {
  const { lines, session } = await run({}, [
    { do: "listen", mode: "manual" },
    { do: "wav", file: wav, wait: false },
    { do: "abort" },
    { do: "stop" },
    { do: "sleep", ms: 1 },
  ]);
  expect(session?.messages.map(({ type }) => type)).toEqual(["hello", "listen", "abort", "listen"]);
  expect(lines.find((line) => "complete" in line)).toMatchObject({ did: { do: "wav" }, complete: false });
});

test("script: it prints the problem of a failed command and goes on with the next one", async () => {
  const { exitCode, lines } = await run({}, [
    "{oops",
    { do: "dance" },
    { do: "listen", mode: "loud" },
    { do: "text" },
    { do: "wav", file: join(directory, "none.wav") },
    { do: "wait", for: { type: "stt" }, ms: 10 },
    { do: "text", text: "hi" },
  ]);
  expect(exitCode).toBe(1);
  const problems = lines.filter((line) => "problem" in line);
  expect(problems).toHaveLength(6);
  expect(problems[1]?.["problem"]).toMatch(/^"do" must be one of listen, /);
  expect(lines.at(-2)).toMatchObject({ did: { do: "text", text: "hi" } });
});

test("script: the server's close is printed with code and reason, ends a wait for it, and ends the script", async () => {
  const { exitCode, lines } = await run(
    { onMessage: (session, name) => (name === "listen/detect" ? session.close(1012, "restart") : undefined) },
    [
      { do: "text", text: "a" },
      { do: "wait", for: { got: "close" } },
    ],
  );
  expect(exitCode).toBe(0);
  expect(lines.at(-2)).toMatchObject({ got: "close", code: 1012, reason: "restart" });
});

test("script: a signal ends it, also with a device that connects again", async () => {
  const stop = new AbortController();
  const { exitCode } = await run(
    { onMessage: (_session, name) => void (name === "listen/start" && stop.abort()) },
    [{ do: "button" }],
    {
      reconnect: "use",
      signal: stop.signal,
    },
  );
  expect(exitCode).toBe(0);
});

test("script: it prints a refusal with its status", async () => {
  const { exitCode, lines } = await run({ refuse: true }, []);
  expect(exitCode).toBe(1);
  expect(lines).toMatchObject([
    { got: "refused", status: 401, problem: expect.stringContaining("no such token") as string },
  ]);
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { createSession, opened, writeRecording } from "../recording/test-recording.ts";
import { startTestServer, type Taken, type TestServer } from "../replay/test-gateway.ts";
import { runCli, startCli } from "../test-cli.ts";

// Each test starts the program several times, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

let server: TestServer;
let directory: string;
let path: string;
beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), "voxbus-replay-"))));
beforeEach(async ({ task }) => {
  path = join(directory, task.id);
  server = await startTestServer(statusOf);
});
afterEach(() => server.stop());
afterAll(() => rmSync(directory, { recursive: true }));

const statusOf = (device: string) => (device === "replay-banned" ? 401 : undefined);
const id = "replay-kitchen";
const start = { type: "listen", mode: "auto", gateway: "g1" } as const;
const replay = (...args: readonly string[]) => runCli(["replay", path, "--to", server.url, ...args]);
const isJson = (fields: object) => (taken: Taken) =>
  "json" in taken && Object.entries(fields).every(([name, value]) => taken.json[name] === value);
function contentOf(taken: Taken): object {
  if ("json" in taken) return { json: taken.json };
  return "packet" in taken ? { packet: taken.packet } : { end: taken.end };
}
const jsonOf = (device = id) =>
  server.taken.items.flatMap((taken) => (taken.device === device && "json" in taken ? [taken.json] : []));

test("replay: a recorded session becomes the messages of a device under another id, in its framing and its order", async () => {
  const session = createSession("kitchen", "s1");
  await writeRecording(path, [
    session.control(0, opened),
    session.control(1, { type: "iot", states: '[{"a":1}]' }),
    session.audio(2, Uint8Array.of(1)),
    session.control(3, { type: "wake", text: "Hi, ESP" }),
    session.control(4, start),
    session.audio(5, Uint8Array.of(2, 3)),
    session.out(6, { kind: "text", body: { type: "stt", text: "never sent" } }),
    session.out(6, { kind: "audio", duration: 60, body: Uint8Array.of(9) }),
    session.control(7, { type: "stop" }),
    session.control(8, { type: "fence", fence: 3 }),
    session.control(8, { type: "gap", frames: 1, from: 1, to: 2, reason: "away" }),
    session.control(8, { type: "resend", reply: "r1" }),
    session.control(8, { type: "mcp", payload: '{"jsonrpc":"2.0","method":"notifications/x"}' }),
    session.text(9, "typed"),
    session.control(10, { type: "abort", reason: "wake_word_detected" }),
    session.control(11, { type: "closed", code: 1006, reason: "gone" }),
  ]);
  const { code, stdout } = await replay();
  expect([code, stdout]).toEqual([0, expect.stringContaining("kitchen as replay-kitchen: ")]);
  expect(server.taken.items.map(contentOf)).toEqual([
    {
      json: {
        type: "hello",
        version: 3,
        features: { mcp: true },
        transport: "websocket",
        audio_params: { format: "opus", sample_rate: 24_000, channels: 1, frame_duration: 20 },
      },
    },
    { json: { type: "iot", states: [{ a: 1 }] } },
    { packet: [1] },
    { json: { type: "listen", state: "detect", text: "Hi, ESP" } },
    { json: { type: "listen", state: "start", mode: "auto" } },
    { packet: [2, 3] },
    { json: { type: "listen", state: "stop" } },
    { json: { type: "mcp", payload: { jsonrpc: "2.0", method: "notifications/x" } } },
    { json: { type: "listen", state: "detect", text: "typed" } },
    { json: { type: "abort", reason: "wake_word_detected" } },
    { end: 1000 },
  ]);
  expect(server.headers.get(id)).toMatchObject({ "device-id": id, "protocol-version": "3" });
});

test("replay: frames keep their distances, and --speed shortens them", async () => {
  const session = createSession("kitchen", "s1");
  const times = [5000, 5400, 5500, 6300];
  await writeRecording(path, [
    session.control(4999, opened),
    ...times.map((t, at) => session.audio(t, Uint8Array.of(at))),
  ]);
  const distances = async (speed: string) => {
    const before = server.taken.items.length;
    expect(await replay("--speed", speed)).toMatchObject({ code: 0 });
    const taken = server.taken.items.slice(before).filter((one) => "packet" in one);
    expect(taken.map((one) => "packet" in one && one.packet[0])).toEqual([0, 1, 2, 3]);
    return taken.at(-1)!.at - taken[0]!.at;
  };
  expect(await distances("1")).toBeGreaterThan(1000);
  expect(await distances("10")).toBeLessThan(1000);
});

test("replay: a device waits for an answer that came in the recording, its microphone open, and then goes on", async () => {
  const session = createSession("kitchen", "s1");
  await writeRecording(path, [
    session.control(0, opened),
    session.control(1, start),
    session.audio(2, Uint8Array.of(7)),
    session.heard(3, "hello there", 3),
    session.say(4, { text: "Hello.", origin: 3 }),
    session.begins(5),
    session.ends(6),
    session.control(7, start),
    session.text(8, "the next"),
  ]);
  const running = startCli(["replay", path, "--to", server.url, "--json", "--check"]);
  // The answer is late: it comes only after silence.
  for (let i = 0; i < 3; i += 1) await server.taken.take((one) => "packet" in one && one.packet.length === 8);
  server.send(id, { type: "stt", text: "hello there" });
  server.send(id, { type: "tts", state: "start" });
  server.send(id, { type: "tts", state: "sentence_start", text: "Hel lo." });
  server.send(id, { type: "mcp", payload: { jsonrpc: "2.0", id: 5, method: "probe" } });
  await server.taken.take(isJson({ type: "mcp" }));
  expect(jsonOf()).not.toContainEqual(expect.objectContaining({ text: "the next" }));
  expect(jsonOf().filter(({ state }) => state === "start")).toHaveLength(1);
  server.send(id, { type: "tts", state: "stop" });
  await server.taken.take(isJson({ text: "the next" }));
  const { code, stdout } = await running.ended;
  const lines = stdout.trim().split("\n");
  expect(lines.map((line) => JSON.parse(line) as object)).toEqual([
    {
      device: "kitchen",
      id,
      isSame: true,
      recorded: { heard: "hello there", said: ["Hello."], isCut: false },
      replayed: expect.objectContaining({ heard: "hello there", said: ["Hel lo."] }),
    },
    { device: "kitchen", id, isSame: false, recorded: { heard: "the next", said: [], isCut: false } },
  ]);
  // The last text got no answer.
  expect(code).toBe(1);
});

test("replay: a recorded announcement is neither waited for nor compared, whether the device heard it or not", async () => {
  const session = createSession("kitchen", "s1");
  const body = { type: "tts", state: "sentence_start", text: "Dinner is ready." } as const;
  await writeRecording(path, [
    session.control(0, opened),
    session.say(1, { text: "Tea is ready.", session: undefined, reply: "r0" }),
    session.say(2, { text: "Dinner is ready.", session: undefined, reply: "r1" }),
    session.out(3, { session: "s1", reply: "r1", attempt: 1, sentence: 0, n: 0, kind: "text", body }),
    session.text(4, "hello there"),
    session.say(5, { text: "Hello.", origin: 2, reply: "r2" }),
    session.begins(6, "r2", 2),
    session.ends(7, { reply: "r2", origin: 2 }),
  ]);
  const running = startCli(["replay", path, "--to", server.url, "--check", "--patience", "0.3"]);
  await server.taken.take(isJson({ text: "hello there" }));
  server.send(id, { type: "stt", text: "hello there" });
  server.answer(id, "Hello.");
  const { code, stdout, stderr } = await running.ended;
  expect([code, stdout]).toEqual([0, expect.stringMatching(/ sent\n {2}same +"hello there" -> "Hello\."\n$/)]);
  expect(stderr).toMatch(/^Replaying [^\n]*\n1 of 1 exchanges are the same as in the recording\.\n$/);
});

test("replay: an answer that never comes is waited for as long as --patience, once, and reported", async () => {
  const session = createSession("kitchen", "s1");
  await writeRecording(path, [
    session.control(0, opened),
    session.text(1, "first"),
    session.begins(2, "r1"),
    session.ends(3, { reply: "r1" }),
    session.text(4, "second"),
    session.begins(5, "r2"),
    session.ends(6, { reply: "r2" }),
  ]);
  const running = startCli(["replay", path, "--to", server.url, "--patience", "0.3"]);
  await server.taken.take(isJson({ text: "second" }));
  server.answer(id, "Yes.");
  const { code, stderr } = await running.ended;
  expect([code, stderr]).toEqual([0, expect.stringContaining(`${id}: 2 times an answer did not come`)]);
});

test("replay: the device's MCP server answers as it did in the recording", async () => {
  const session = createSession("kitchen", "s1");
  const ask = (t: number, n: number, params: object) =>
    session.out(t, {
      kind: "text",
      body: { type: "mcp", payload: JSON.stringify({ jsonrpc: "2.0", id: n, method: "tools/call", params }) },
    });
  const tell = (t: number, n: number, result: unknown) =>
    session.control(t, { type: "mcp", payload: JSON.stringify({ jsonrpc: "2.0", id: n, result }) });
  await writeRecording(path, [
    session.control(0, opened),
    ask(1, 10, { name: "level" }),
    tell(2, 10, "low"),
    ask(3, 11, { name: "level" }),
    tell(4, 11, "high"),
    session.text(5, "go"),
    session.begins(6),
  ]);
  const running = startCli(["replay", path, "--to", server.url]);
  await server.taken.take(isJson({ text: "go" }));
  const call = (n: number, name: string) =>
    server.send(id, { type: "mcp", payload: { jsonrpc: "2.0", id: n, method: "tools/call", params: { name } } });
  for (const [n, name] of [
    [1, "level"],
    [2, "level"],
    [3, "level"],
    [4, "other"],
  ] as const)
    call(n, name);
  for (let i = 0; i < 4; i += 1) await server.taken.take(isJson({ type: "mcp" }));
  server.answer(id, "Done.");
  expect(await running.ended).toMatchObject({ code: 0 });
  expect(jsonOf().flatMap(({ payload }) => (payload === undefined ? [] : [payload]))).toEqual([
    { jsonrpc: "2.0", id: 1, result: "low" },
    { jsonrpc: "2.0", id: 2, result: "high" },
    { jsonrpc: "2.0", id: 3, result: "high" },
    { jsonrpc: "2.0", id: 4, error: { message: expect.stringContaining("no answer") } },
  ]);
});

test("replay: each device is replayed by itself, and one that is refused does not stop the others", async () => {
  const [one, other] = [createSession("kitchen", "s1"), createSession("banned", "s2")];
  await writeRecording(path, [
    other.control(0, opened),
    other.text(1, "out"),
    one.control(2, opened),
    one.text(3, "in"),
    one.control(4, { type: "closed", code: 1006, reason: "gone" }),
  ]);
  const { code, stderr } = await replay();
  expect(code).toBe(1);
  expect(stderr).toContain("replay-banned: The gateway at");
  expect(stderr).toContain("status 401; give it a token with --token");
  expect(jsonOf()).toContainEqual({ type: "listen", state: "detect", text: "in" });
});

test("replay: a device whose session the gateway ends is reported with what it did not send", async () => {
  const session = createSession("kitchen", "s1");
  await writeRecording(path, [
    session.control(0, opened),
    session.text(1, "first"),
    session.begins(2),
    session.text(60, "second"),
  ]);
  const running = startCli(["replay", path, "--to", server.url]);
  await server.taken.take(isJson({ text: "first" }));
  server.close(id);
  const { code, stderr } = await running.ended;
  expect([code, stderr]).toEqual([1, expect.stringContaining(`${id}: 1 frames had no session`)]);
});

test("replay: what a recording misses is told", async () => {
  const session = createSession("kitchen", "s1");
  const late = createSession("kitchen", "s1", 9);
  const lines = [session.text(0, "a"), late.text(1, "b"), [2, "device.kitchen.in.text", Uint8Array.of(0xc1)]] as const;
  await writeRecording(path, lines, false);
  const { stderr } = await replay();
  expect(stderr).toContain("its recorder was killed");
  expect(stderr).toContain("7 frames of devices are missing");
  expect(stderr).toContain("1 messages do not decode");
  expect(jsonOf()).toHaveLength(3);
});

test("replay: a reader that goes away changes neither its end nor its exit code", async () => {
  const session = createSession("kitchen", "s1");
  await writeRecording(path, [session.control(0, opened), session.text(1, "first"), session.begins(2)]);
  const running = startCli(["replay", path, "--to", server.url, "--patience", "0.3", "--check"]);
  running.deafen();
  expect(await running.ended).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("0 of 1 exchanges are the same"),
  });
  await server.taken.find((one) => "end" in one && one.end === 1000);
});

test("replay: Ctrl-C ends it", async () => {
  const session = createSession("kitchen", "s1");
  await writeRecording(path, [session.text(0, "a"), session.text(3_600_000, "b")]);
  const running = startCli(["replay", path, "--to", server.url]);
  await server.taken.take(isJson({ text: "a" }));
  running.kill("SIGINT");
  expect(await running.ended).toMatchObject({ code: 130 });
  await server.taken.find((one) => "end" in one);
});

test("replay: a recording of many devices is read as it is played", async () => {
  const sessions = Array.from({ length: 50 }, (_, at) => createSession(`d${at}`, `s${at}`));
  await writeRecording(
    path,
    [0, 1, 2, 3].flatMap((t) => sessions.map((session) => session.audio(t * 20, new Uint8Array(60_000)))),
  );
  expect(await replay()).toMatchObject({ code: 0 });
  const packets = server.taken.items.filter((one) => "packet" in one);
  expect(packets).toHaveLength(200);
  expect(new Set(packets.map(({ device }) => device)).size).toBe(50);
});

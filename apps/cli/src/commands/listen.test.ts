import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOggOpusWriter } from "@voxbus/audio";
import type { Bus } from "@voxbus/bus";
import { channels, type OutAudio } from "@voxbus/protocol";
import { connectTestBus, encodeSpeech, loadSpeech, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { main, runCli, startCli, type RunningCli } from "../test-cli.ts";

const packets = encodeSpeech(loadSpeech("time"));
const folder = mkdtempSync(join(tmpdir(), "voxbus-listen-"));
let nats: NatsServer;
let bus: Bus;

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await bus.close();
  await nats.stop();
});

/** Writes the file that these packets make. */
function writeOgg(list: readonly Uint8Array[]): Buffer {
  const writer = createOggOpusWriter({ pageMs: 120 });
  return Buffer.concat([...list.map((packet) => writer.write(packet)), writer.close()]);
}

async function startListen(...args: readonly string[]): Promise<RunningCli> {
  const one = startCli(["listen", "kitchen", ...args], { VOXBUS_NATS_URL: nats.url });
  await one.told(/listening to .*\n/);
  return one;
}

const speak = (device: string, list: readonly Uint8Array[]) =>
  list.forEach((body, at) =>
    bus.publish(channels.inAudio(device), { session: "s1", seq: at + 1, at: 1, kind: "audio", duration: 60, body }),
  );
const play = (list: readonly Uint8Array[], name: Partial<OutAudio>) =>
  list.forEach((body, n) => bus.publish(channels.out("kitchen"), { ...name, n, kind: "audio", duration: 60, body }));
const end = (reply: string, played: [number, number]) =>
  bus.publish(channels.event("kitchen"), {
    session: "s1",
    at: 1,
    gateway: "g1",
    turn: { reply, played, complete: true, fenced: 0, dropped: 0, late: 0 },
  });

test("listen: the microphone of one device comes to standard output while it speaks, and Ctrl-C ends the stream whole", async () => {
  const one = await startListen();
  speak("hall", packets);
  speak("kitchen", packets.slice(0, 10));
  await one.printed(/OpusTags/);
  speak("kitchen", packets.slice(10));
  await bus.flush();
  const whole = writeOgg(packets);
  // The last page waits for its end.
  await one.received(whole.byteLength - 1000);
  one.kill("SIGINT");
  const { code, stderr } = await one.ended;
  expect([code, Buffer.compare(one.bytes(), whole)]).toEqual([0, 0]);
  expect(stderr).toContain(`wrote ${((packets.length * 60) / 1000).toFixed(1)} s of sound\n`);
});

test("listen --side speaker: has what was played of each reply, one after the other", async () => {
  const file = join(folder, "speaker.ogg");
  const one = await startListen("--side", "speaker", "--out", file);
  play(packets.slice(0, 20), { reply: "r1", attempt: 1, sentence: 0 });
  play(packets.slice(20, 30), { reply: "r2", attempt: 1, sentence: 0 });
  bus.publish(channels.out("kitchen"), { kind: "text", body: { type: "system", command: "reboot" } });
  end("r1", [0, 14]);
  end("r2", [0, 99]);
  await bus.flush();
  const expected = writeOgg([...packets.slice(0, 15), ...packets.slice(20, 30)]);
  await expect.poll(() => readFileSync(file).byteLength).toBeGreaterThan(expected.byteLength - 1000);
  one.kill("SIGTERM");
  expect(await one.ended).toMatchObject({ code: 0, stdout: "" });
  expect(Buffer.compare(readFileSync(file), expected)).toBe(0);
});

test("listen: an invalid packet is left out and told", async () => {
  const one = await startListen("--out", join(folder, "invalid.ogg"));
  speak("kitchen", [packets[0]!, new Uint8Array(), packets[1]!]);
  await one.told(/invalid Opus packet left out/);
  await bus.flush();
  speak("kitchen", [packets[2]!, packets[3]!, new Uint8Array()]);
  one.kill("SIGINT");
  const { code } = await one.ended;
  expect(code).toBe(0);
  expect(readFileSync(join(folder, "invalid.ogg")).subarray(0, 4).toString()).toBe("OggS");
});

test("listen --seconds: ends by itself; without sound the stream is empty and whole", async () => {
  const one = await startListen("--seconds", "0.1");
  const { code, stderr } = await one.ended;
  expect([code, Buffer.compare(one.bytes(), writeOgg([]))]).toEqual([0, 0]);
  expect(stderr).toContain("wrote 0.0 s of sound");
});

test("listen: a file that cannot be written fails with its name, at the start and later", async () => {
  const env = { VOXBUS_NATS_URL: nats.url };
  const missing = await runCli(["listen", "kitchen", "--out", join(folder, "none", "a.ogg")], env);
  expect([missing.code, missing.stderr]).toEqual([
    1,
    expect.stringMatching(/^voxbus listen: cannot write .*a\.ogg \(ENOENT\)\n$/),
  ]);
  const path = join(folder, "mine.ogg");
  writeFileSync(path, "mine");
  const mine = await runCli(["listen", "kitchen", "--out", path], env);
  expect([mine.code, mine.stderr]).toEqual([1, expect.stringContaining("exists, and listen never overwrites a file")]);
  expect(readFileSync(path, "utf8")).toBe("mine");
  const full = await startListen("--out", "/dev/full");
  speak("kitchen", packets);
  const { code, stderr } = await full.ended;
  expect([code, stderr]).toEqual([1, expect.stringContaining("cannot write /dev/full (ENOSPC)")]);
});

test("listen --out: the file is made for its owner, and only where NATS permits to hear", async () => {
  const config = `authorization { users: [
    { user: deaf, password: d, permissions { subscribe { allow: ["_INBOX.>"] } } }
  ] }`;
  const guarded = await startNatsServer({ config });
  const path = join(folder, "denied.ogg");
  const env = { VOXBUS_NATS_URL: guarded.url.replace("//", "//deaf:d@") };
  const denied = await runCli(["listen", "kitchen", "--out", path], env);
  await guarded.stop();
  expect([denied.code, denied.stderr]).toEqual([1, expect.stringContaining("NATS does not permit it to hear")]);
  expect(existsSync(path)).toBe(false);
  const one = await startListen("--seconds", "0.1", "--out", path);
  expect((await one.ended).code).toBe(0);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("listen --out: /dev/stdout and a pipe are written", async () => {
  const line = `"$0" "$1" listen kitchen --seconds 0.1 --out /dev/stdout 2> /dev/null | cat`;
  const env = { PATH: process.env["PATH"], VOXBUS_NATS_URL: nats.url };
  const written = execFileSync("bash", ["--norc", "-c", line, process.execPath, main], { env });
  expect(Buffer.compare(written, writeOgg([]))).toBe(0);
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  const reading = readFile(pipe);
  const piped = await startListen("--seconds", "0.1", "--out", pipe);
  expect(await piped.ended).toMatchObject({ code: 0 });
  expect(Buffer.compare(await reading, writeOgg([]))).toBe(0);
});

test("listen: a player that goes away ends it quietly", async () => {
  const one = await startListen();
  one.deafen();
  const speaking = setInterval(() => speak("kitchen", packets.slice(0, 4)), 20);
  const { code, stderr } = await one.ended;
  clearInterval(speaking);
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^voxbus: listening [^\n]*\n$/)]);
});

test.each([
  [["kitchen", "--side", "left"], /--side is one of microphone, speaker/],
  [["kitchen", "--seconds", "soon"], /--seconds is a number from 0.1 to 86400/],
  [["a.b"], /device-id must be/],
])("listen: %j is wrong usage", async (args, problem) => {
  const { code, stderr } = await runCli(["listen", ...args], { VOXBUS_NATS_URL: nats.url });
  expect([code, stderr]).toEqual([2, expect.stringMatching(problem)]);
});

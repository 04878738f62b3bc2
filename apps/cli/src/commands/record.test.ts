import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Bus } from "@voxbus/bus";
import { buckets, channels, defaultProfile } from "@voxbus/protocol";
import { connectTestBus, loose, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { readRecordingFile, type Read } from "../recording/reader.ts";
import { runCli, startCli } from "../test-cli.ts";

let nats: NatsServer;
let bus: Bus;
let env: Readonly<Record<string, string>>;
let directory: string;
let path: string;
beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  env = { VOXBUS_NATS_URL: nats.url };
  directory = mkdtempSync(join(tmpdir(), "voxbus-record-"));
});
beforeEach(({ task }) => void (path = join(directory, task.id)));
afterAll(async () => {
  await bus?.close();
  await nats?.stop();
  rmSync(directory, { recursive: true });
});

/** Far longer than a message takes on its way through two processes and a file. */
const patience = { timeout: 10_000 };
const text = { session: "s1", seq: 1, at: 5, kind: "text", body: "a secret wish" } as const;
const say = { reply: "r1", attempt: 1, sentence: 0, text: "An answer.", last: true };

/** Starts a recording and resolves when it stands. */
async function startRecord(...args: readonly string[]) {
  const running = startCli(["record", path, ...args], env);
  await running.told(/^Recording into .*It holds what people say/m);
  return running;
}

async function readMessages(): Promise<readonly Extract<Read, { type: "message" }>[]> {
  const all: Extract<Read, { type: "message" }>[] = [];
  for await (const record of readRecordingFile(path)) if (record.type === "message") all.push(record);
  return all;
}

async function readLast(): Promise<Read | undefined> {
  let last: Read | undefined;
  for await (const record of readRecordingFile(path)) last = record;
  return last;
}

async function publish(device: string): Promise<void> {
  await bus.store(channels.inText(device), { ...text, session: `s-${device}` }, { id: `${path}:${device}` });
  bus.publish(channels.out(device), { kind: "text", body: { type: "stt", text: "x" } });
  await bus.store(channels.sayOpen(device), say);
  await bus.flush();
}

test("record: the messages of the named devices are kept as they came, with their times, until Ctrl-C", async () => {
  const running = await startRecord("--device", "AA:BB:CC:DD:EE:FF, kitchen");
  bus.publish(loose(channels.out("kitchen")), new Uint8Array([0xc1]));
  await publish("cellar");
  await publish("kitchen");
  bus.publish(channels.out("aa:bb:cc:dd:ee:ff"), { kind: "text", body: { type: "stt", text: "x" } });
  await vi.waitFor(async () => expect(await readMessages()).toHaveLength(5), patience);
  running.kill("SIGINT");
  const { code, stdout, stderr } = await running.ended;
  expect([code, stdout]).toEqual([0, expect.stringMatching(/: 5 messages of 2 devices, \d+ bytes \(stopped\)/)]);
  const messages = await readMessages();
  expect(messages.map(({ subject }) => subject)).toEqual([
    "device.kitchen.out",
    "device.kitchen.in.text",
    "device.kitchen.out",
    "stored.device.kitchen.say.open",
    "device.aa:bb:cc:dd:ee:ff.out",
  ]);
  expect([...messages[0]!.data]).toEqual([0xc1]);
  expect(messages[1]!.headers).toHaveProperty("Nats-Msg-Id");
  expect(messages.every(({ t }, at) => t >= (messages[at - 1]?.t ?? 0))).toBe(true);
  expect(await readLast()).toMatchObject({ type: "end", messages: 5 });
  expect(stdout + stderr).not.toContain("secret");
});

test("record: the profile of each device is kept, with the defaults that applied to it", async () => {
  const profiles = bus.bucket(buckets.profiles);
  await profiles.put(defaultProfile, { timeZone: "Europe/Berlin", voice: "anna" });
  await profiles.put("library", { language: "de", voice: "otto" });
  const running = await startRecord("--fleet");
  await publish("library");
  await publish("pantry");
  await vi.waitFor(async () => expect(await readMessages()).toHaveLength(6), patience);
  running.kill("SIGINT");
  expect(await running.ended).toMatchObject({ code: 0, stderr: expect.not.stringContaining("Not all") });
  const found: [string, unknown][] = [];
  for await (const record of readRecordingFile(path))
    if (record.type === "profile") found.push([record.device, JSON.parse(record.profile)]);
  expect(found).toEqual([
    ["library", expect.objectContaining({ language: "de", voice: "otto", timeZone: "Europe/Berlin", lead: 2 })],
    ["pantry", expect.objectContaining({ language: "en", voice: "anna", timeZone: "Europe/Berlin" })],
  ]);
});

test("record: --fleet records every device, and --for ends it", async () => {
  const running = await startRecord("--fleet", "--for", "1", "--json");
  await publish("attic");
  await publish("garage");
  const { code, stdout } = await running.ended;
  expect([code, JSON.parse(stdout)]).toEqual([
    0,
    expect.objectContaining({ file: path, messages: 6, devices: 2, endedBy: "duration" }),
  ]);
  expect(await readMessages()).toHaveLength(6);
});

test("record: a file that is full ends the recording", async () => {
  const running = await startRecord("--fleet", "--max-mb", "0.001");
  for (let i = 0; i < 100; i += 1) bus.publish(channels.out("a"), { kind: "text", body: { type: "stt", text: "x" } });
  const { code, stdout } = await running.ended;
  expect([code, stdout]).toEqual([0, expect.stringContaining("--max-mb")]);
  expect(readFileSync(path).byteLength).toBeLessThan(3000);
  expect(await readLast()).toMatchObject({ type: "end" });
});

test("record: after a kill the file holds what came before", async () => {
  const running = await startRecord("--device", "porch");
  await publish("porch");
  await vi.waitFor(async () => expect(await readMessages()).toHaveLength(3), patience);
  running.kill("SIGKILL");
  await running.ended;
  expect(await readMessages()).toHaveLength(3);
  expect(await readLast()).not.toMatchObject({ type: "end" });
});

test("record: it goes on after NATS was away, and notes that", async () => {
  const running = await startRecord("--device", "loft");
  await nats.restart();
  await running.told(/NATS reconnected/);
  await vi.waitFor(async () => {
    bus.publish(channels.out("loft"), { kind: "text", body: { type: "stt", text: "x" } });
    expect(await readMessages()).not.toEqual([]);
  }, patience);
  running.kill("SIGTERM");
  expect(await running.ended).toMatchObject({ code: 0 });
  const types = new Set<string>();
  for await (const record of readRecordingFile(path)) types.add(record.type);
  types.delete("profile");
  expect([...types]).toEqual(["header", "lost", "message", "end"]);
});

test("record: a user that may not hear everything records the rest, and is told what is missing", async () => {
  const config = `authorization { users: [
    { user: admin, password: a },
    { user: deaf, password: d, permissions { subscribe { allow: ["_INBOX.>"] } } },
    { user: listener, password: l, permissions { publish { deny: ">" }, subscribe { allow: ["device.*.in.>", "stored.>"] } } }
  ] }`;
  const guarded = await startNatsServer({ config });
  const login = (user: string) => guarded.url.replace("//", `//${user}:${user[0]}@`);
  const admin = await connectTestBus(login("admin"));
  const running = startCli(["record", path, "--device", "cabin"], { VOXBUS_NATS_URL: login("listener") });
  await running.told(/^Recording into/m);
  await running.told(/NATS permission denied .*subject=device\.cabin\.out/);
  await admin.store(channels.inText("cabin"), text);
  admin.publish(channels.out("cabin"), { kind: "text", body: { type: "stt", text: "x" } });
  await vi.waitFor(async () => expect(await readMessages()).toHaveLength(1), patience);
  running.kill("SIGINT");
  expect(await running.ended).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(
      / NATS does not permit device\.cabin\.heard\.partial, device\.cabin\.out, device\.cabin\.event\.\n$/,
    ),
    stderr: expect.stringContaining("Not all profiles are recorded"),
  });
  const none = await runCli(["record", `${path}-none`, "--device", "cabin"], { VOXBUS_NATS_URL: login("deaf") });
  expect([none.code, none.stderr]).toEqual([1, expect.stringContaining("NATS permits none of the messages of cabin.")]);
  expect(existsSync(`${path}-none`)).toBe(false);
  await admin.close();
  await guarded.stop();
});

test("record: a full disk ends it with an error", async () => {
  const main = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
  // Files may have 512 bytes here.
  const shell = `trap '' XFSZ; ulimit -f 1; exec "$0" ${main} record ${path} --fleet`;
  const child = spawn("bash", ["-c", shell, process.execPath], { env: { PATH: process.env["PATH"], ...env } });
  let stderr = "";
  await new Promise<void>((resolve) =>
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
      if (stderr.includes("Recording into")) resolve();
    }),
  );
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  for (let i = 0; i < 20; i += 1) await publish("den");
  expect([await exited, stderr]).toEqual([1, expect.stringContaining(`Cannot write ${path} (EFBIG)`)]);
});

test.each([
  [["--device", "a"], 1, /exists, and a recording never overwrites/],
  [[], 2, /Name devices with --device ID,ID, or record all with --fleet/],
  [["--fleet", "--device", "a"], 2, /Name devices/],
  [["--device", "a,*"], 2, /"\*" is not a device id: .* 1 to 64 characters/],
  [["--device", "a,,b"], 2, /"" is not a device id/],
  [["--fleet", "--for", "0"], 2, /--for is a number from 0.1 to 604800/],
  [["--fleet", "--max-mb", "x"], 2, /--max-mb is a number from/],
])("record: %j ends with %i and a line that says why", async (args, code, problem) => {
  writeFileSync(path, "mine");
  const ended = await runCli(["record", path, ...args], env);
  expect([ended.code, ended.stderr]).toEqual([code, expect.stringMatching(problem)]);
  expect(readFileSync(path, "utf8")).toBe("mine");
});

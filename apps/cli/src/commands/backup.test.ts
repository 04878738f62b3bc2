import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bus } from "@voxbus/bus";
import { buckets, channels } from "@voxbus/protocol";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { frame } from "../frames.ts";
import { runCliHere, startCli } from "../test-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "voxbus-backup-"));
let nats: NatsServer;
let bus: Bus;
let path: string;
let files = 0;

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  await fill();
  path = newFile();
  expect((await runCliHere(["backup", path], env())).code).toBe(0);
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
  rmSync(folder, { recursive: true });
});

const env = () => ({ VOXBUS_NATS_URL: nats.url });
const newFile = () => join(folder, `${(files += 1)}.backup`);

async function fill(): Promise<void> {
  await bus.bucket(buckets.profiles).put("kitchen", { language: "de", prompt: "p".repeat(16_000) });
  await bus
    .bucket(buckets.dialogues)
    .put("kitchen", { messages: [], turns: [{ session: "s", origin: 3, at: 1, user: "Hi." }] });
  await bus.bucket(buckets.apiTokens).put("wall", { scope: "read", hash: "h", createdAt: 1 });
  const heard = { session: "s", utterance: 1, origin: 3, from: 1, listen: 1, final: true, text: "Hi.", language: "en" };
  await bus.store(channels.heard("kitchen"), heard, { id: "s:3" });
}
async function readAll() {
  const profile = await bus.bucket(buckets.profiles).get("kitchen");
  const dialogue = await bus.bucket(buckets.dialogues).get("kitchen");
  const token = await bus.bucket(buckets.apiTokens).get("wall");
  const { messages, newest } = await bus.stored(channels.heard("kitchen"), 10);
  return { profile, dialogue, token, messages, newest };
}

test("backup and restore: after a wipe everything is as it was", async () => {
  const before = await readAll();
  expect(before.messages).toHaveLength(1);
  expect(before.token).toBeDefined();
  await nats.restart({ wipe: true });
  const { code, stdout } = await runCliHere(["restore", path, "--json"], env());
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ file: path, restored: true });
  expect(await readAll()).toEqual(before);
});

test("backup: only its owner can read it, it leaves out what describes processes, and overwrites nothing", async () => {
  await bus.bucket(buckets.probes).put("here", { at: 1 });
  const file = newFile();
  const { stdout } = await runCliHere(["backup", file, "--json"], env());
  const { stores } = JSON.parse(stdout) as { readonly stores: readonly { readonly name: string }[] };
  const names = stores.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["DEVICE_IN", "TURNS", "profiles", "reminders"]));
  expect(names.filter((name) => ["gateways", "presence", "monitor", "probes"].includes(name))).toEqual([]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const before = readFileSync(file);
  const again = await runCliHere(["backup", file], env());
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("never overwrites a file")]);
  expect(readFileSync(file).equals(before)).toBe(true);
});

test("restore: a system with data needs --overwrite, which replaces it", async () => {
  await bus.bucket(buckets.profiles).put("kitchen", { language: "fr" });
  await bus.bucket(buckets.profiles).put("hall", { language: "fr" });
  const refused = await runCliHere(["restore", path], env());
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/has data in .*profiles.*--overwrite/)]);
  expect((await bus.bucket(buckets.profiles).get("kitchen"))?.value?.own).toEqual({ language: "fr" });
  expect((await runCliHere(["restore", path, "--overwrite", "--check"], env())).code).toBe(0);
  expect((await bus.bucket(buckets.profiles).get("hall"))?.value).toBeDefined();
  expect((await runCliHere(["restore", path, "--overwrite"], env())).code).toBe(0);
  expect((await bus.bucket(buckets.profiles).get("kitchen"))?.value?.own).toMatchObject({ language: "de" });
  expect(await bus.bucket(buckets.profiles).get("hall")).toBeUndefined();
});

test("restore: one that was killed is repeated", async () => {
  const one = startCli(["restore", path, "--overwrite"], env());
  await one.told(/restored TURNS/);
  one.kill("SIGKILL");
  await one.ended;
  expect((await runCliHere(["restore", path, "--overwrite"], env())).code).toBe(0);
  expect((await readAll()).profile?.value?.own).toMatchObject({ language: "de" });
});

test("restore: another prefix is refused", async () => {
  const { code, stderr } = await runCliHere(["restore", path], { ...env(), VOXBUS_NATS_PREFIX: "staging" });
  expect([code, stderr]).toEqual([1, expect.stringContaining("one with the prefix staging")]);
});

const header = { format: "voxbus-backup", v: 1, at: 1, prefix: "", nats: "2.11.0" };
const withEnd = (...records: readonly object[]) => {
  const body = Buffer.concat(records.map(frame));
  const sha256 = createHash("sha256").update(body).digest();
  return Buffer.concat([body, frame({ type: "end", stores: records.length - 1, sha256 })]);
};
const copy = { config: { name: "KV_voxbus_future" }, state: {} };

test.each<readonly [string, (whole: Buffer) => Uint8Array, RegExp]>([
  ["an empty file", () => Buffer.alloc(0), /not a backup/],
  ["a foreign file", () => Buffer.from("#!/bin/sh\necho hello, this is another program\n"), /not a backup/],
  ["a recording", () => frame({ format: "voxbus-recording", v: 1, at: 1 }), /not a backup/],
  ["one that lacks its end", (whole) => whole.subarray(0, whole.byteLength - 100), /incomplete/],
  ["one that ends behind a record", () => frame(header), /incomplete: its end is missing/],
  ["one with a changed byte", (whole) => flip(whole), /damaged/],
  ["one with something behind its end", (whole) => Buffer.concat([whole, frame({ type: "piece" })]), /after its end/],
  ["a newer version", () => frame({ ...header, v: 2 }), /version 2 of the format/],
  [
    "a bucket of a newer version",
    () => withEnd(header, { type: "store", name: "future", bytes: 0, copy }),
    /"future", which/,
  ],
])("restore: %s is refused before anything is written", async (_what, make, problem) => {
  const file = newFile();
  writeFileSync(file, make(readFileSync(path)));
  const before = await readAll();
  const { code, stderr } = await runCliHere(["restore", file, "--overwrite"], env());
  expect([code, stderr]).toEqual([1, expect.stringMatching(problem)]);
  expect(await readAll()).toEqual(before);
});

/** Changes a byte in the middle of the largest part of the file. */
function flip(whole: Buffer): Buffer {
  const changed = Buffer.from(whole);
  const at = changed.byteLength >> 1;
  changed[at] = changed[at]! ^ 0xff;
  return changed;
}

test("backup and restore: a folder, a missing file and a full disk are named", async () => {
  const folderGiven = await runCliHere(["restore", folder], env());
  expect([folderGiven.code, folderGiven.stderr]).toEqual([1, expect.stringContaining("not a file")]);
  const missing = await runCliHere(["restore", join(folder, "none")], env());
  expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining("ENOENT")]);
  const nowhere = await runCliHere(["backup", join(folder, "none", "x")], env());
  expect([nowhere.code, nowhere.stderr]).toEqual([1, expect.stringContaining("ENOENT")]);
});

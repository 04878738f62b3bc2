import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "@msgpack/msgpack";
import { afterEach, beforeEach, expect, test } from "vitest";
import { maxRecordBytes } from "./format.ts";
import { readRecording, readRecordingFile, type Read } from "./reader.ts";
import { createRecording } from "./writer.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "voxbus-recording-"));
  path = join(directory, "a.voxbus");
});
afterEach(() => rmSync(directory, { recursive: true }));

const first = { subject: "device.kitchen.in.audio", headers: {}, data: Buffer.of(0xc1, 0, 255) };
const second = { subject: "device.kitchen.in.text", headers: { traceparent: "00-1" }, data: Buffer.alloc(100) };

async function writeTwo(): Promise<Buffer> {
  let t = 0;
  const recording = await createRecording({ path, devices: ["kitchen"], now: () => (t += 1.5) });
  recording.write(first);
  recording.write(second);
  await recording.end();
  return readFileSync(path);
}

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

async function readAll(records: AsyncIterable<Read>): Promise<readonly Read[]> {
  const all: Read[] = [];
  for await (const record of records) all.push(record);
  return all;
}

const header = {
  type: "header",
  header: { format: "voxbus-recording", v: 1, at: expect.any(Number), devices: ["kitchen"] },
};
const records = [
  header,
  { type: "message", t: 1.5, ...first },
  { type: "message", t: 3, ...second },
  { type: "end", t: 4.5, messages: 2 },
];

test("recording: what was written is read again, whatever the chunks, from a file that only its owner can read", async () => {
  const bytes = await writeTwo();
  expect(await readAll(readRecordingFile(path))).toEqual(records);
  for (const size of [1, 3, 64, 1000]) expect(await readAll(readRecording(chunksOf(bytes, size)))).toEqual(records);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("recording: a file that was cut anywhere is read up to its last whole record, and the cut is told", async () => {
  const bytes = await writeTwo();
  const ends = [bytes.readUInt32BE(0) + 4];
  while (ends.at(-1)! < bytes.length) ends.push(ends.at(-1)! + 4 + bytes.readUInt32BE(ends.at(-1)));
  for (let length = ends[0]!; length < bytes.length; length += 1) {
    const whole = ends.filter((end) => end <= length).length;
    const left = length - ends[whole - 1]!;
    const cut = left === 0 ? [] : [{ type: "cut", bytes: left }];
    expect(await readAll(readRecording(chunksOf(bytes.subarray(0, length), 64)))).toEqual([
      ...records.slice(0, whole),
      ...cut,
    ]);
  }
});

test("recording: a file is never overwritten", async () => {
  writeFileSync(path, "mine");
  await expect(createRecording({ path })).rejects.toThrow("EEXIST");
  expect(readFileSync(path, "utf8")).toBe("mine");
});

test("recording: a message that is larger than a record is left out, and the loss is noted", async () => {
  const recording = await createRecording({ path, now: () => 7 });
  recording.write({ subject: "device.a.out", data: new Uint8Array(maxRecordBytes) });
  recording.write(first);
  recording.noteAway();
  await recording.end();
  expect(recording.lost).toEqual({ "queue-full": 0, oversized: 1 });
  expect((await readAll(readRecordingFile(path))).slice(1)).toEqual([
    { type: "lost", t: 7, reason: "oversized", messages: 1 },
    { type: "message", t: 7, ...first },
    { type: "lost", t: 7, reason: "nats-away" },
    { type: "end", t: 7, messages: 1 },
  ]);
});

test("recording: while the disk does not take them, messages wait within a bound, and the rest is counted", async () => {
  const recording = await createRecording({ path });
  const data = new Uint8Array(1_048_576);
  // Nothing is written before this loop ends.
  for (let i = 0; i < 40; i += 1) recording.write({ subject: "device.a.out", data });
  await recording.end();
  expect(recording.messages).toBe(31);
  expect(recording.lost).toEqual({ "queue-full": 9, oversized: 0 });
  const read = await readAll(readRecordingFile(path));
  expect(read.filter(({ type }) => type === "lost")).toMatchObject([{ reason: "queue-full", messages: 9 }]);
});

function frame(value: unknown): Buffer {
  const body = encode(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.byteLength);
  return Buffer.concat([length, body]);
}
const goodHeader = { format: "voxbus-recording", v: 1, at: 1 };

test.each<[string, Buffer, string]>([
  ["an empty file", Buffer.alloc(0), "not a recording"],
  ["a text", Buffer.from("a text of a person"), "not a recording"],
  ["three bytes", Buffer.alloc(3), "not a recording"],
  ["other MessagePack", frame([1, 2]), "not a recording"],
  ["a huge length", Buffer.from([0xff, 0xff, 0xff, 0xff]), "not a recording"],
  ["a newer version", frame({ ...goodHeader, v: 2 }), "version 2 of the format. This program reads up to 1"],
  ["a header without its time", frame({ format: "voxbus-recording", v: 1 }), "damaged at header: at"],
  ["a record of an unknown type", Buffer.concat([frame(goodHeader), frame({ type: "x", t: 1 })]), "damaged at byte"],
  ["a record without data", Buffer.concat([frame(goodHeader), frame({ type: "message", t: 1, subject: "a" })]), "data"],
  ["a length of 0", Buffer.concat([frame(goodHeader), Buffer.alloc(4)]), "damaged at byte"],
  ["a huge list", Buffer.concat([frame(goodHeader), Buffer.from([0, 0, 0, 5, 0xdd, 255, 255, 255, 255])]), "damaged"],
])("recording: %s is refused with the place, not the content", async (_, bytes, problem) => {
  const reading = readAll(readRecording(chunksOf(bytes, 64)));
  await expect(reading).rejects.toThrow(problem);
  await expect(reading).rejects.not.toThrow("person");
});

import { channels, encodeEnvelope, envelopes } from "@voxbus/protocol";
import { expect, test } from "vitest";
import { runCli, runCliHere } from "../test-cli.ts";

const said = { session: "s1", seq: 1, at: 5, kind: "text", body: "hello" } as const;
const frame = encodeEnvelope(envelopes["in.text"], said);

test("check: a message that fits its subject is printed", async () => {
  const { code, stdout } = await runCli(["check", "device.kitchen.in.text"], {}, frame);
  expect([code, JSON.parse(stdout)]).toEqual([0, said]);
  const json = await runCli(["check", "device.kitchen.in.text", "--json"], {}, frame);
  expect(json.stdout).toBe(`${JSON.stringify({ subject: "device.kitchen.in.text", message: said })}\n`);
});

test("check: what a shadow publishes is a message of the real program", async () => {
  const heard = { session: "s1", listen: 1, utterance: 1, from: 5, origin: 9, text: "hello", language: "en" };
  const subject = "shadow.next.device.kitchen.heard";
  const { code, stdout } = await runCli(["check", subject, "--json"], {}, encodeEnvelope(envelopes.heard, heard));
  expect([code, JSON.parse(stdout)]).toEqual([0, { subject, message: heard }]);
});

test("check: bytes are printed as the document writes them, and read from hexadecimal text", async () => {
  const audio = encodeEnvelope(channels.inAudio.schema, { ...said, kind: "audio", body: Uint8Array.of(0xf8, 0xff) });
  const hex = Buffer.from(audio).toString("hex").replaceAll(/(..)/g, "$1 ");
  const { code, stdout } = await runCli(["check", "device.kitchen.in.audio", "--hex"], {}, `${hex}\n`);
  expect([code, JSON.parse(stdout)]).toEqual([0, { ...said, kind: "audio", body: "hex f8 ff" }]);
});

test("check: the answer to a request has its own contract", async () => {
  const answer = { session: "s1", open: true, newest: 1, frames: [] };
  const bytes = encodeEnvelope(envelopes["replay answer"], answer);
  expect(await runCli(["check", "gateway.g1.replay", "--answer"], {}, bytes)).toMatchObject({ code: 0 });
  expect(await runCli(["check", "gateway.g1.replay"], {}, bytes)).toMatchObject({ code: 1 });
  expect(await runCli(["check", "fleet.out", "--answer"], {}, bytes)).toMatchObject({ code: 2 });
});

test.each([
  [
    "a wrong field",
    encodeEnvelope(envelopes["in.text"], { ...said, session: "a private word" }),
    /^bad-envelope: session: .*1 to 64/,
  ],
  ["a newer version", Uint8Array.of(0x81, 0xa1, 0x76, 2), /^newer-version: version 2 is newer than 1/],
  ["no MessagePack", Buffer.from("a private word"), /^bad-envelope: /],
  ["nothing", new Uint8Array(), /^bad-envelope: the message is empty$/m],
])("check: %s fails with the field and the limit, never the value", async (_, bytes, problem) => {
  const { code, stdout, stderr } = await runCli(["check", "device.kitchen.in.text"], {}, bytes);
  expect(code).toBe(1);
  expect(stdout).toMatch(problem);
  expect(stdout + stderr).not.toContain("private");
});

test("check: the value of a bucket is JSON, by the subject of its key", async () => {
  const lease = JSON.stringify({ id: "g1", at: 1 });
  const check = (subject: string, input: string) => runCliHere(["check", subject, "--json"], {}, input);
  const profile = await check("$KV.voxbus_profiles.=group-children", '{"language":"de"}');
  expect([profile.code, JSON.parse(profile.stdout)]).toEqual([
    0,
    { subject: "$KV.voxbus_profiles.=group-children", message: { language: "de" } },
  ]);
  const wrong = await check("$KV.voxbus_profiles.kitchen", '{"lead":"private"}');
  expect([wrong.code, JSON.parse(wrong.stdout)]).toMatchObject([1, { code: "bad-envelope", field: "lead" }]);
  expect(wrong.stdout).not.toContain("private");
  const bad = await check("$KV.staging_tool-calls.s1.9.1", lease);
  expect([bad.code, JSON.parse(bad.stdout)]).toMatchObject([1, { code: "bad-envelope", field: expect.any(String) }]);
  const text = await check("$KV.voxbus_presence.kitchen", "a private word");
  expect([text.code, text.stdout]).toEqual([1, expect.stringContaining('"value: expected JSON"')]);
  expect(text.stdout).not.toContain("private");
  for (const subject of ["$KV.voxbus_songs.a", "$KV.voxbus_profiles.*", "$KV.voxbus_monitor.=other"])
    expect(await check(subject, "{}")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("$KV.voxbus_monitor.=lease"),
    });
  expect(await runCliHere(["check", "$KV.voxbus_profiles.a", "--answer"])).toMatchObject({ code: 2 });
});

test("check: an endless input is refused by its length", async () => {
  const { code, stderr } = await runCli(["check", "fleet.out"], {}, new Uint8Array(1_048_577));
  expect([code, stderr]).toEqual([1, expect.stringContaining("longer than 1048576 bytes")]);
  const odd = await runCli(["check", "fleet.out", "--hex"], {}, "abc");
  expect([odd.code, odd.stderr]).toEqual([1, expect.stringContaining("hexadecimal")]);
});

test.each(["device.kitchen.hear", "device.*.heard", "device.kitchen.>", ""])(
  "check: %j is not a subject of the contract, and the subjects are listed",
  async (subject) => {
    const { code, stderr } = await runCli(["check", subject], {}, frame);
    expect([code, stderr]).toEqual([2, expect.stringContaining("device.<id>.heard")]);
  },
);

test.each(["device..heard", "device.:a.heard", `device.${"a".repeat(65)}.heard`, "stats.a:b", "fleet..out"])(
  "check: the id in %j breaks its limit, which is named",
  async (subject) => {
    const { code, stderr } = await runCli(["check", subject], {}, frame);
    expect([code, stderr]).toEqual([2, expect.stringContaining("must be 1 to 64 characters of")]);
  },
);

test("check: a text that a terminal could obey is printed escaped", async () => {
  const body = "\u001b[2J\u009b2J\u202e\u007f";
  const { stdout } = await runCli(
    ["check", "device.kitchen.in.text"],
    {},
    encodeEnvelope(envelopes["in.text"], { ...said, body }),
  );
  expect(JSON.parse(stdout)).toMatchObject({ body });
  for (const mark of body.replaceAll(/[ -~]/g, "")) expect(stdout).not.toContain(mark);
});

import type { Bus } from "@voxbus/bus";
import { buckets, defaultProfile } from "@voxbus/protocol";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCliHere } from "../test-cli.ts";

let nats: NatsServer;
let bus: Bus;

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

const run = (...args: readonly string[]) => runCliHere(["profiles", ...args], { VOXBUS_NATS_URL: nats.url });
const own = async (id: string) => (await bus.bucket(buckets.profiles).get(id))?.value?.own;

test("profiles set: changes the fields that are given, removes those that are null, and leaves the others", async () => {
  expect((await run("set", "kitchen", '{"language": "de", "voice": "anna", "lead": 3}')).code).toBe(0);
  expect((await run("set", "kitchen", '{"voice": null, "timeZone": "Europe/Berlin"}')).code).toBe(0);
  expect(await own("kitchen")).toEqual({ language: "de", lead: 3, timeZone: "Europe/Berlin" });
  expect((await run("set", "fleet", '{"group": "house"}')).code).toBe(0);
  expect(await own(defaultProfile)).toEqual({ group: "house" });
});

test("profiles get: shows what applies, and the level from which it comes", async () => {
  const { code, stdout } = await run("get", "kitchen", "--json");
  expect(code).toBe(0);
  const { profile, from } = JSON.parse(stdout) as { readonly profile: object; readonly from: Record<string, string> };
  expect(profile).toMatchObject({ language: "de", group: "house", silenceMs: 120_000 });
  expect(from).toMatchObject({ language: "device", group: "fleet", silenceMs: "default" });
  expect((await run("get", "kitchen")).stdout).toMatch(/^language +device +"de"$/m);
});

test("profiles: a group's level is between the fleet and its devices, and maps are changed field by field", async () => {
  expect(
    (await run("set", "group:house", '{"farewell": "Bye {name}.", "engines": {"llm": "big", "tts": "fine"}}')).code,
  ).toBe(0);
  expect((await run("set", "group:house", '{"engines": {"tts": null}}')).code).toBe(0);
  const { profile, from } = JSON.parse((await run("get", "kitchen", "--json")).stdout) as {
    readonly profile: object;
    readonly from: Record<string, string>;
  };
  expect(profile).toMatchObject({ farewell: "Bye {name}.", engines: { llm: "big" }, language: "de" });
  expect(from).toMatchObject({ farewell: "group:house", "engines.llm": "group:house", "engines.tts": "default" });
});

test("profiles diff: shows the fields in which two levels differ", async () => {
  await run("set", "hall", '{"language": "fr"}');
  const { stdout } = await run("diff", "kitchen", "hall", "--json");
  const fields = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly field: string });
  expect(fields).toContainEqual({ field: "language", left: "de", right: "fr" });
  expect(fields.map(({ field }) => field).toSorted()).toEqual(["language", "lead", "timeZone"]);
  expect((await run("diff", "kitchen", "kitchen")).stdout).toBe("");
});

test.each([
  [["set", "kitchen"], /JSON is missing/],
  [["set", "kitchen", "language=de"], /JSON is not valid/],
  [["set", "kitchen", "{}"], /object of fields/],
  [["set", "kitchen", '["de"]'], /object of fields/],
  [["set", "kitchen", '{"langauge": "de"}'], /"langauge" is not a field.*Did you mean language\?/],
  [["set", "kitchen", '{"lead": 9}'], /lead: /],
  [["set", "group:house", '{"group": "x"}'], /A group is in no group/],
  [["set", "group:a.b", '{"lead": 2}'], /the group must be/],
  [["set", "kitchen", '{"prompt": "You are {nmae}."}'], /prompt: there is no variable \{nmae\}/],
  [["set", "a.b", '{"lead": 2}'], /device-id must be/],
  [["get"], /LEVEL is missing/],
  [["gte", "kitchen"], /is one of get, set, diff/],
])("profiles: %j is wrong usage, and changes nothing", async (args, problem) => {
  const before = await own("kitchen");
  const { code, stderr } = await run(...args);
  expect([code, stderr]).toEqual([2, expect.stringMatching(problem)]);
  expect(await own("kitchen")).toEqual(before);
});

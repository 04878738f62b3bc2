import type { Bus } from "@voxbus/bus";
import { buckets, defaultProfile, groupProfile, type OwnProfile, Profile, trialProfile } from "@voxbus/protocol";
import { connectTestBus, looseRow, silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { readLevel, readLowerLevels, readProfile } from "./profile-levels.ts";
import type { Profiles } from "./presence.ts";
import { watchProfiles } from "./profiles.ts";

let server: NatsServer;
let bus: Bus;
let profiles: Profiles;
const warnings: object[] = [];
const written = new Set<string>();

beforeAll(async () => {
  server = await startNatsServer();
  bus = await connectTestBus(server.url);
  profiles = await watchProfiles(bus, { warn: (fields: object) => void warnings.push(fields) });
});
afterEach(async () => {
  for (const id of written) await bucket().remove(id);
  await put("last", { groups: ["last"] });
  await vi.waitFor(() => expect(profiles.groups()).toEqual(["last"]), { timeout: 10_000 });
  written.clear();
  warnings.length = 0;
});
afterAll(async () => {
  profiles.close();
  await bus.close();
  await server.stop();
});

const bucket = () => bus.bucket(buckets.profiles);
const put = (id: string, own: object) => {
  written.add(id);
  return bus.bucket(looseRow(buckets.profiles)).put(id, own);
};
const see = (device: string, fields: object) =>
  vi.waitFor(() => expect(profiles.of(device)).toMatchObject(fields), { timeout: 5000 });

test("levels: a change of the fleet, of a group and of a device reaches a reader, and so does the removal of each", async () => {
  await put(defaultProfile, { voice: "fleet", greeting: "fleet", place: "fleet", model: { topP: 0.5 } });
  await put(groupProfile("hall"), { voice: "hall", greeting: "hall", model: { maxTokens: 9 } });
  await put("aa:bb", { group: "hall", voice: "own" });
  await see("aa:bb", { voice: "own", greeting: "hall", place: "fleet", model: { topP: 0.5, maxTokens: 9 } });
  await see("another", { voice: "fleet", greeting: "fleet" });
  await put(groupProfile("hall"), { greeting: "changed" });
  await see("aa:bb", { greeting: "changed" });
  expect(await readProfile(bus, "aa:bb")).toEqual(profiles.of("aa:bb"));
  await bucket().remove(groupProfile("hall"));
  await see("aa:bb", { greeting: "fleet", group: "hall" });
  await bucket().remove("aa:bb");
  await see("aa:bb", { voice: "fleet" });
  await bucket().remove(defaultProfile);
  await vi.waitFor(() => expect(profiles.of("aa:bb")).toEqual(Profile.parse({})));
});

test("groups: the first one comes before the others, and they are the fleet's for devices without their own", async () => {
  await put(groupProfile("a"), { voice: "a" });
  await put(groupProfile("b"), { voice: "b", place: "b" });
  await put("first", { groups: ["b", "a"] });
  await put("second", { group: "a", groups: ["b", "unknown"] });
  await see("first", { voice: "b" });
  await see("second", { voice: "a", place: "b" });
  await put(defaultProfile, { group: "b" });
  await see("any", { voice: "b", group: "b" });
  expect(profiles.groups()).toEqual(expect.arrayContaining(["a", "b", "unknown"]));
});

test("groups: a group that names groups is in none of them, and that is told", async () => {
  await put(groupProfile("a"), { group: "b", groups: ["a"], voice: "a" });
  await put(groupProfile("b"), { group: "a", voice: "b", place: "b" });
  await put("d", { group: "a" });
  await see("d", { voice: "a", group: "a" });
  expect(profiles.of("d").place).toBeUndefined();
  expect(warnings).toContainEqual({ source: "group:a", fields: ["group", "groups"] });
  expect(await readLevel(bus, groupProfile("a"))).toMatchObject({ own: { voice: "a" }, invalid: ["group", "groups"] });
});

test("levels: a field of a group that is not valid gives way to that of the fleet, and one that is no JSON to all of it", async () => {
  await put(defaultProfile, { lead: 1, voice: "fleet" });
  await put(groupProfile("odd"), { lead: 99, voice: "odd", engines: { llm: 7 } });
  await put("d", { group: "odd" });
  await see("d", { lead: 1, voice: "odd", engines: {} });
  expect(warnings).toContainEqual({ source: "group:odd", fields: ["lead", "engines.llm"] });
  await bus.bucket(looseRow(buckets.profiles)).put(groupProfile("odd"), "cut");
  await see("d", { lead: 1, voice: "fleet" });
  expect(await readLevel(bus, groupProfile("odd"))).toMatchObject({ own: {}, invalid: ["*"] });
  await put("=group-a.b", { voice: "x" });
  await put("=else", { voice: "x" });
  await put("d", { group: "odd", place: "seen" });
  await see("d", { place: "seen", voice: "fleet" });
});

test("trial: it is the profile of its device alone, up to its time, and removing it ends it before", async () => {
  await put("d", { voice: "own" });
  await put(trialProfile("aa:bb"), { voice: "tried", until: bus.now() + 60_000 });
  await put(trialProfile("d"), { voice: "over", until: bus.now() - 1 });
  await see("aa:bb", { voice: "tried" });
  await see("d", { voice: "own" });
  expect(profiles.of("aa")).not.toHaveProperty("voice");
  await bucket().remove(trialProfile("aa:bb"));
  await vi.waitFor(() => expect(profiles.of("aa:bb").voice).toBeUndefined());
});

test("levels: those below a device's are read with its groups, the lowest first", async () => {
  await put(defaultProfile, { voice: "fleet" });
  await put(groupProfile("a"), { voice: "a" });
  const sources = async (id: string, own: OwnProfile) =>
    (await readLowerLevels(bus, id, own)).map(({ source }) => source);
  expect(await sources("d", { groups: ["a"] })).toEqual(["fleet", "group:a"]);
  expect(await sources(groupProfile("a"), {})).toEqual(["fleet"]);
  expect(await sources(defaultProfile, {})).toEqual([]);
  expect(await watchProfiles(bus, silentLog).then((own) => (own.close(), own.of("x").voice))).toBe("fleet");
});

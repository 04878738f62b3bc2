import { ConflictError, type Bus } from "@voxbus/bus";
import { buckets, channels, type Command, deviceKey, type Presence, Profile } from "@voxbus/protocol";
import { connectTestBus, looseRow, silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { ulid } from "ulid";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { watchPresence } from "./presence-view.ts";
import { watchProfiles } from "./profiles.ts";
import { describeSession, never, register } from "./test-registry.ts";

let server: NatsServer;
let bus: Bus;

const connect = (): Promise<Bus> => connectTestBus(server.url);

beforeAll(async () => {
  server = await startNatsServer();
  bus = await connect();
});
afterAll(async () => {
  await bus.close();
  await server.stop();
});

test("enter: the newer session gets the higher term and the entry that it replaced", async () => {
  const [one, two] = await Promise.all([register(bus, "g1"), register(bus, "g2")]);
  const view = await watchPresence(bus);
  const device = "aa:bb:cc:dd:ee:01";
  expect(await one.enter(device, describeSession("s1"), never)).toEqual({ term: 1, previous: undefined });
  await vi.waitFor(() => expect(view.online(device)).toMatchObject({ session: "s1", gateway: "g1", term: 1 }));
  const { term, previous } = await two.enter(device, describeSession("s2"), never);
  expect(term).toBe(2);
  expect(previous).toMatchObject({ session: "s1", gateway: "g1" });
  await one.leave(device, "s1");
  await vi.waitFor(() => expect(view.online(device)).toMatchObject({ session: "s2", gateway: "g2", term: 2 }));
  expect([...view.devices()].map(([id]) => id)).toEqual([device]);
  two.update(device, "s2", { state: "idle" });
  await vi.waitFor(() => expect(view.online(device)?.state).toBe("idle"));
  await two.leave(device, "s2");
  await vi.waitFor(() => expect(view.online(device)).toBeUndefined());
  view.close();
  await Promise.all([one.close(), two.close()]);
});

test("enter: simultaneous sessions all end, as the holder or with a ConflictError", async () => {
  const registries = await Promise.all(["r1", "r2", "r3", "r4"].map((id) => register(bus, id)));
  const results = await Promise.allSettled(
    registries.map((registry, n) => registry.enter("raced", describeSession(`s${n}`), never)),
  );
  const terms = results.flatMap((result) => (result.status === "fulfilled" ? [result.value.term] : []));
  const lost = results.filter((result) => result.status === "rejected");
  expect(lost.every(({ reason }) => reason instanceof ConflictError)).toBe(true);
  expect(new Set(terms).size).toBe(terms.length);
  const held = (await bus.bucket(buckets.presence).get("raced"))?.value as Presence;
  expect(held.term).toBe(Math.max(...terms));
  await Promise.all(registries.map((registry) => registry.close()));
});

test("presence: it comes back after a wipe with its old terms, the higher term wins, and the loser is notified", async () => {
  const commands: Command[] = [];
  bus.subscribe(channels.command("low"), (command) => commands.push(command));
  const [high, low] = await Promise.all([register(bus, "high"), register(bus, "low")]);
  const view = await watchPresence(bus);
  for (let n = 1; n <= 3; n += 1) {
    await high.enter("comes-back", describeSession(`s${n}`), never);
    await high.enter("contested", describeSession(`high${n}`), never);
  }
  await vi.waitFor(() => expect(view.online("comes-back")?.term).toBe(3));
  await server.callApi("STREAM.PURGE.KV_voxbus_presence");
  await low.enter("contested", describeSession("low1"), never);
  await vi.waitFor(
    () =>
      expect(commands).toEqual([
        { body: { type: "disconnect", device: "contested", session: "low1", reason: "replaced" } },
      ]),
    { timeout: 5000 },
  );
  expect((await bus.bucket(buckets.presence).get("contested"))?.value).toMatchObject({ term: 3, session: "high3" });
  await vi.waitFor(() => expect(view.online("comes-back")).toMatchObject({ term: 3, session: "s3" }));
  view.close();
  await Promise.all([high.close(), low.close()]);
});

test("presence: a gateway notices a newer session when it changes the state", async () => {
  const taken = vi.fn();
  const [one, two] = await Promise.all([register(bus, "over1", { taken }), register(bus, "over2")]);
  await one.enter("overtaken", describeSession("s1"), never);
  await two.enter("overtaken", describeSession("s2"), never);
  one.update("overtaken", "s1", { state: "idle" });
  await vi.waitFor(() => expect(taken).toHaveBeenCalledExactlyOnceWith("overtaken", "s1", "replaced"));
  expect((await bus.bucket(buckets.presence).get("overtaken"))?.value).toMatchObject({
    session: "s2",
    state: "active",
  });
  await Promise.all([one.close(), two.close()]);
});

test("enter: a term is at least the session's opening time, so it counts on after a wipe", async () => {
  const registry = await register(bus, "timed");
  const at = (since: number) => ({ ...describeSession(`s${since}`), since });
  expect(await registry.enter("timed", at(5000), never)).toMatchObject({ term: 5000 });
  expect(await registry.enter("timed", at(4000), never)).toMatchObject({ term: 5001 });
  await registry.close();
});

test("enter: it ends when its signal aborts", async () => {
  const registry = await register(bus, "aborted");
  const reason = new Error("the socket is gone");
  await expect(registry.enter("gone", describeSession("s1"), AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(await bus.bucket(buckets.presence).get("gone")).toBeUndefined();
  await registry.close();
});

test("profiles: the device's own fields come before the default profile's, and those before the schema's", async () => {
  const bucket = bus.bucket(buckets.profiles);
  const profiles = await watchProfiles(bus, silentLog);
  const device = "aa:bb:cc:dd:ee:02";
  expect(profiles.of(device)).toEqual(Profile.parse({}));
  await bucket.put("=default", { language: "de", lead: 1 });
  await bucket.put(deviceKey(device), { lead: 3 });
  await vi.waitFor(() => expect(profiles.of(device)).toMatchObject({ language: "de", lead: 3 }));
  expect(profiles.of("another")).toMatchObject({ language: "de", lead: 1 });
  await bucket.put(deviceKey(device), { lead: 99 });
  await vi.waitFor(() => expect(profiles.of(device)).toMatchObject({ language: "de", lead: 1 }));
  await bucket.put("=default", {});
  profiles.close();
});

test("profiles: of a list of engines the known ones remain, and the reader is told of the field", async () => {
  const told: unknown[] = [];
  const engines = { llm: ["local", "embedded"] };
  const profiles = await watchProfiles(bus, silentLog, engines, (device, fields) => told.push([device, fields]));
  const device = `listed-${ulid()}`;
  await bus.bucket(buckets.profiles).put(device, { engines: { llm: ["local", "typo", "embedded"], tts: ["any"] } });
  const kept = { llm: ["local", "embedded"], tts: ["any"] };
  await vi.waitFor(() => expect(profiles.of(device).engines).toEqual(kept));
  expect(told.filter((one) => JSON.stringify(one).includes(device))).toEqual([[device, ["engines.llm"]]]);
  profiles.close();
});

test.each<[string, unknown, (string | undefined)?]>([
  ...["language", "timeZone", "group"].flatMap((field) =>
    ["", "a/b c", "__proto__ ", "x".repeat(65), 7, null, {}, ["en"]].map((value): [string, unknown] => [field, value]),
  ),
  ...["xx-invalid-", "en_US", "constructor", "english (US)"].map((value): [string, unknown] => ["language", value]),
  ...["Mars/Base", "constructor", "toString", "__proto__", "+99:00"].map((value): [string, unknown] => [
    "timeZone",
    value,
  ]),
  ...["a.b", "*", ">", "a:b"].map((value): [string, unknown] => ["group", value]),
  ...["constructor", "toString", "__proto__", "a.b", "", 7].map((llm): [string, unknown, string] => ["engines", { llm, tts: "espeak" }, "engines.llm"]), // prettier-ignore
  ["engines", "openai"],
  ["engines", null],
  ["voice", 7],
  ["prompt", "x".repeat(16_385)],
  ["wakeWords", "computer"],
  ["wakeWords", ["computer", 7]],
  ["lead", 99],
  ["deadlineMs", "15000"],
  ["dryMs", 0],
  ["silenceMs", -1],
  ["farewell", {}],
])(
  "profiles: with the %s %j, only that field counts as absent, and it is logged once",
  async (field, value, named = field) => {
    const lines: { readonly device?: string; readonly message: string }[] = [];
    const log = { warn: (fields: object, message: string) => lines.push({ ...fields, message }) };
    const bucket = bus.bucket(looseRow(buckets.profiles));
    const device = `odd-${ulid()}`;
    const profiles = await watchProfiles(bus, log, { llm: ["embedded"] });
    const rest = field === "lead" ? { dryMs: 2000 } : { lead: 3 };
    await bucket.put(device, { ...rest, [field]: value });
    const engines = named === "engines.llm" ? { tts: "espeak" } : {};
    await vi.waitFor(() => expect(profiles.of(device)).toEqual({ ...Profile.parse({}), ...rest, engines }));
    expect(profiles.of(device)).toBe(profiles.of(device));
    const own = lines.filter((line) => line.device === device);
    expect(own).toEqual([{ device, fields: [named], message: "profile fields invalid, ignored" }]);
    profiles.close();
  },
);

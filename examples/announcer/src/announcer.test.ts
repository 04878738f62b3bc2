import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRegistry } from "@voxbus/presence";
import type { Bus } from "@voxbus/bus";
import { buckets, channels, stored, type Say } from "@voxbus/protocol";
import { ConfigError, startSubscriber, type Running } from "@voxbus/subscriber";
import { connectTestBus, startNatsServer } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { announcer, buildAnnouncer } from "./announcer.ts";

let nats: Awaited<ReturnType<typeof startNatsServer>>;
let bus: Bus;
let registry: Awaited<ReturnType<typeof createRegistry>>;
let program: Running | undefined;
let folder: string;
let said: [device: string, say: Say][] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  bus.subscribe(stored(channels.sayOpen("*")), (say, { device }) => void said.push([device, say]));
  const profiles = bus.bucket(buckets.profiles);
  await profiles.put("d1", { group: "kitchens", timeZone: "Europe/Berlin" });
  await profiles.put("d2", { group: "kitchens" });
  await profiles.put("d3", { group: "offices" });
  await profiles.put("d4", { group: "kitchens" });
  registry = await createRegistry(bus, { id: "g1", address: "ws://x", load: () => ({ connections: 0, speaking: 0 }) });
  for (const device of ["d1", "d2", "d3"]) {
    const presence = {
      session: `s-${device}`,
      since: 1,
      remote: "x",
      protocol: 1,
      features: {},
      state: "idle",
    } as const;
    await registry.enter(device, presence, new AbortController().signal);
  }
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "voxbus-announcer-"));
});
afterEach(async () => {
  await program?.stop("quick");
  program = undefined;
  said = [];
  rmSync(folder, { recursive: true, force: true });
});
afterAll(async () => {
  await registry?.close();
  await bus?.close();
  await nats?.stop();
});

/** Starts the program with a plan, at a time. The returned function lets a minute begin. */
async function start(plan: unknown, from: string) {
  const file = join(folder, "plan.json");
  writeFileSync(file, typeof plan === "string" ? plan : JSON.stringify(plan));
  let now = Date.parse(from);
  let tick = (): void => undefined;
  const clock = {
    now: () => now,
    everyMinute: (given: () => void) => {
      tick = given;
      return { close: () => undefined };
    },
  };
  const env = { VOXBUS_NATS_URL: nats.url, VOXBUS_LOG_LEVEL: "fatal", VOXBUS_ANNOUNCER_PLAN: file };
  program = await startSubscriber(announcer, (context) => buildAnnouncer(context, clock), env);
  return (time: string) => {
    now = Date.parse(time);
    tick();
  };
}

const hearers = () => said.map(([device, { text }]) => `${device}: ${text}`).toSorted();

test("announcer: the devices of the group that are online speak, once", async () => {
  const plan = [{ at: "18:00", timeZone: "UTC", group: "kitchens", text: "Dinner is ready.", emotion: "happy" }];
  const goTo = await start(plan, "2026-06-01T17:58Z");
  goTo("2026-06-01T17:59Z");
  goTo("2026-06-01T18:00Z");
  await vi.waitFor(() => expect(hearers()).toEqual(["d1: Dinner is ready.", "d2: Dinner is ready."]));
  goTo("2026-06-01T18:00:30Z");
  goTo("2026-06-02T18:00:10Z");
  await vi.waitFor(() => expect(said).toHaveLength(4));
  expect(said[0]![1]).toMatchObject({ attempt: 1, sentence: 0, emotion: "happy", last: true });
  expect(said[0]![1].origin).toBeUndefined();
});

test("announcer: without a time zone it is that of each device, and without a group every device hears it", async () => {
  const goTo = await start([{ at: "18:00", text: "Good evening." }], "2026-06-01T15:58Z");
  goTo("2026-06-01T16:00Z");
  await vi.waitFor(() => expect(hearers()).toEqual(["d1: Good evening."]));
  goTo("2026-06-01T17:00Z");
  goTo("2026-06-01T18:00Z");
  await vi.waitFor(() => expect(hearers()).toEqual(["d1: Good evening.", "d2: Good evening.", "d3: Good evening."]));
});

test("announcer: a process that was stopped for minutes catches up, but not on hours", async () => {
  const plan = [
    { at: "18:01", timeZone: "UTC", group: "offices", text: "Late." },
    { at: "17:00", timeZone: "UTC", group: "offices", text: "Too late." },
  ];
  const goTo = await start(plan, "2026-06-01T16:30Z");
  goTo("2026-06-01T18:04Z");
  await vi.waitFor(() => expect(hearers()).toEqual(["d3: Late."]));
});

test("announcer: a start does not repeat what was due before", async () => {
  const plan = [
    { at: "18:00", timeZone: "UTC", group: "offices", text: "Before." },
    { at: "18:03", timeZone: "UTC", group: "offices", text: "Now." },
  ];
  // A restart in the minute of an announcement that was made.
  const goTo = await start(plan, "2026-06-01T18:00:20Z");
  goTo("2026-06-01T18:03Z");
  await vi.waitFor(() => expect(hearers()).toEqual(["d3: Now."]));
});

test("announcer: a plan with errors ends the start, and each field is named", async () => {
  const wrong = [
    { at: "7:30", text: "x" },
    { at: "07:30", text: "", days: ["someday"], timeZone: "Mars", language: "no language", group: "a.b", color: 1 },
  ];
  const problems = async (plan: unknown) => {
    const error: unknown = await start(plan, "2026-06-01T00:00Z").then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).problems.join("\n");
  };
  const text = await problems(wrong);
  for (const field of ["0.at", "1.text", "1.days.0", "1.timeZone", "1.language", "1.group", "1: "])
    expect(text).toContain(`VOXBUS_ANNOUNCER_PLAN: ${field}`);
  expect(await problems("no JSON")).toContain("is not readable as JSON");
  expect(await problems({})).toContain("the file: ");
  const missing = { VOXBUS_NATS_URL: nats.url, VOXBUS_ANNOUNCER_PLAN: join(folder, "none.json") };
  await expect(startSubscriber(announcer, (context) => buildAnnouncer(context), missing)).rejects.toThrow(
    "does not exist",
  );
});

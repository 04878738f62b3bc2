import { buckets, channels, stored, type KeptMessage, type Presence, type Say } from "@voxbus/protocol";
import type { Bus, Closer } from "@voxbus/bus";
import { createKeepMessage, KeptFullError, maxWaiting, type KeepMessage } from "@voxbus/subscriber";
import { connectTestBus, silentLog, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { tellKept, type KeptOutcome, type TellDeps } from "./tell-kept.ts";
import { createTestClock } from "./test-clock.ts";
import { dieAt, type GatewayManner } from "./test-ringing.ts";

let nats: NatsServer;
let bus: Bus;
let keepOne: KeepMessage;
const clock = createTestClock();
const open: Closer[] = [];
const hour = 3_600_000;
const online = new Map<string, Pick<Presence, "session" | "state"> & { readonly manner: GatewayManner }>();
const watchers = new Set<(device: string, presence: Presence | undefined) => void>();
const following = new Set<{ readonly session: string | undefined; readonly gone: () => void }>();
const told: [device: string, text: string, session: string | undefined][] = [];
const outcomes: KeptOutcome[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  // The same time for those who keep and those who tell.
  bus = { ...(await connectTestBus(nats.url)), now: clock.now };
  keepOne = createKeepMessage(bus);
  bus.subscribe(stored(channels.sayOpen("*")), (say, { device }) => play(device, say));
  await bus.flush();
});
afterEach(() => {
  for (const one of open.splice(0)) one.close();
  told.splice(0);
  outcomes.splice(0);
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

/** Plays an announcement as the gateway of a device does. */
function play(device: string, say: Say): void {
  const found = online.get(device);
  if (found === undefined || found.session !== say.session) return;
  told.push([device, say.text, say.session]);
  if (found.manner === "is silent") return;
  if (found.manner === "closes") leave(device);
  const counts = { complete: found.manner === "plays", fenced: 0, dropped: 0, late: 0 };
  const shown = found.manner === "shows" ? { sentence: 0, reason: "no-channel" } : {};
  const event = { session: found.session, at: clock.now(), gateway: "g" };
  bus.publish(channels.event(device), { ...event, turn: { reply: say.reply, ...counts, ...shown } });
  if (found.manner !== "shows") return;
  connect(device, found.session, "shows", "suspicious");
  bus.publish(channels.event(device), { ...event, receipt: { reply: say.reply, result: "unanswered" } });
}
function connect(
  device: string,
  session: string,
  manner: GatewayManner = "plays",
  state: Presence["state"] = "active",
): void {
  online.set(device, { session, manner, state });
  for (const changed of watchers) changed(device, { session } as Presence);
}
function leave(device: string): void {
  const session = online.get(device)?.session;
  online.delete(device);
  for (const changed of watchers) changed(device, undefined);
  for (const one of following) if (one.session === session) one.gone();
}
async function start(deps: Partial<TellDeps> = {}): Promise<Closer> {
  const telling = await tellKept({
    bus,
    // Telling takes until it is played, which time need not wait for.
    clock: { ...clock, after: (ms, run) => clock.after(ms, async () => void run()) },
    log: silentLog,
    presence: {
      online: (device) => online.get(device) as Presence | undefined,
      watch(changed) {
        watchers.add(changed);
        return { close: () => void watchers.delete(changed) };
      },
    },
    sessions: {
      follow({ device, session }, gone) {
        const one = { session, gone };
        if (online.get(device)?.session !== session) queueMicrotask(gone);
        following.add(one);
        return { close: () => void following.delete(one) };
      },
    },
    onEnd: (outcome) => outcomes.push(outcome),
    ...deps,
  });
  open.push(telling);
  return telling;
}
const keep = (device: string, text: string, keepMs = hour, id = `${device}-${text.replaceAll(/\W/g, "")}`) =>
  keepOne(device, { id, text, keepMs });
const read = async (device: string): Promise<readonly KeptMessage[]> =>
  (await bus.bucket(buckets.kept).get(device))?.value?.messages ?? [];
const toldTo = (device: string) => told.flatMap(([to, text]) => (to === device ? [text] : []));

/** Moves the clock until the check of what is kept for a device passes. */
async function advanceUntil(
  device: string,
  check: readonly string[] | ((messages: readonly KeptMessage[]) => void),
  stepMs = 1000,
) {
  await vi.waitFor(
    async () => {
      await clock.advance(stepMs);
      if (typeof check === "function") check(await read(device));
      else expect((await read(device)).map(({ state }) => state)).toEqual(check);
    },
    { timeout: 15_000, interval: 5 },
  );
}

test("kept: what waits is told at the next hello, oldest first, once with several processes, and its text is forgotten", async () => {
  await keep("back", "One.");
  await Promise.all([start(), start(), start()]);
  await keep("back", "Two.");
  await clock.advance(60_000);
  expect(toldTo("back")).toEqual([]);
  connect("back", "s1");
  await advanceUntil("back", ["told", "told"]);
  expect(toldTo("back")).toEqual(["One.", "Two."]);
  expect(await read("back")).toMatchObject([
    { tries: 1, ring: { session: "s1" } },
    { tries: 1, ring: { session: "s1" } },
  ]);
  expect((await read("back")).map(({ text }) => text)).toEqual([undefined, undefined]);
});

test("kept: a device that is online is told at once", async () => {
  connect("here", "s1");
  await start();
  await keep("here", "Now.");
  await advanceUntil("here", ["told"], 0);
  expect(toldTo("here")).toEqual(["Now."]);
});

test("kept: a session that ends before it plays anything is followed by another attempt, in the next session", async () => {
  await start();
  await keep("flaky", "Again.");
  connect("flaky", "s1", "closes");
  await advanceUntil("flaky", (all) => expect(all).toMatchObject([{ state: "waiting", missed: { session: "s1" } }]), 0);
  connect("flaky", "s2");
  await advanceUntil("flaky", ["told"], 0);
  expect(told.map(([, , session]) => session)).toEqual(["s1", "s2"]);
  expect(outcomes).toEqual(["missed", "told"]);
});

test("kept: an idle device that does not answer is told again, as soon as it shows a sign of life and not before", async () => {
  await start();
  await keep("dozing", "Again.");
  connect("dozing", "s1", "shows");
  await advanceUntil(
    "dozing",
    (all) => expect(all).toMatchObject([{ state: "waiting", missed: { session: "s1" } }]),
    0,
  );
  await clock.advance(60_000);
  expect(toldTo("dozing")).toEqual(["Again."]);
  connect("dozing", "s1");
  await advanceUntil("dozing", ["told"]);
  expect(toldTo("dozing")).toEqual(["Again.", "Again."]);
});

test("kept: a device that reconnects twice quickly is told once", async () => {
  await Promise.all([start(), start()]);
  await keep("twice", "Once.");
  connect("twice", "s1", "is silent");
  connect("twice", "s2", "is silent");
  connect("twice", "s3");
  await advanceUntil("twice", ["told"]);
  expect(toldTo("twice")).toEqual(["Once."]);
});

test("kept: what has expired is not told any more", async () => {
  await start();
  await keep("late", "Old.", 5000);
  await keep("late", "New.", hour);
  await advanceUntil("late", ["expired", "waiting"]);
  connect("late", "s1");
  await advanceUntil("late", ["expired", "told"]);
  expect(toldTo("late")).toEqual(["New."]);
  expect(outcomes).toEqual(["expired", "told"]);
});

const steps = ["before", "after"].flatMap((when) =>
  [1, 2, 3, 4].map((at) => [when as "before" | "after", at] as const),
);
test.each(steps)(
  "kept: a process that dies %s its operation %i leaves it to another, and it is told once",
  async (when, at) => {
    const device = `mortal-${when}-${at}`;
    await keep(device, "Once.");
    const mortal = dieAt(bus, at, when);
    const first = await start({ bus: mortal.bus });
    connect(device, "s1");
    await Promise.race([mortal.died, advanceUntil(device, ["told"])]);
    first.close();
    await bus.flush();
    // Its process did not hear the end, and the session may be over when another one takes part.
    if (toldTo(device).length > 0) leave(device);
    await start();
    await advanceUntil(device, ["told"]);
    expect(toldTo(device)).toEqual(["Once."]);
  },
);

test("kept: at most 20 wait for a device, however many are kept at once, and each id once", async () => {
  const all = Array.from({ length: 1000 }, (_, n) => keep("full", String(n % 500)));
  const kept = await Promise.allSettled(all);
  const errors = new Set(kept.flatMap((one) => (one.status === "rejected" ? [(one.reason as Error).constructor] : [])));
  expect([...errors]).toEqual([KeptFullError]);
  // Those that wait were kept twice, under the same id.
  expect(kept.filter(({ status }) => status === "fulfilled")).toHaveLength(2 * maxWaiting);
  expect((await read("full")).map(({ text }) => text)).toEqual(Array.from({ length: maxWaiting }, (_, n) => String(n)));
});

test("kept: only the newest ended ones are remembered", async () => {
  connect("busy", "s1");
  await start();
  for (let n = 0; n < 25; n += 1) {
    await keep("busy", String(n));
    await advanceUntil("busy", (all) => expect(all.map(({ state }) => state)).not.toContain("waiting"), 0);
    expect(toldTo("busy")).toHaveLength(n + 1);
  }
  expect((await read("busy")).length).toBeLessThanOrEqual(21);
});

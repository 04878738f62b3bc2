import type { Bus } from "@voxbus/bus";
import { createRegistry, type Registry } from "@voxbus/presence";
import {
  buckets,
  builtInTools,
  channels,
  parseJson,
  stored,
  type Features,
  type Outbound,
  type Say,
} from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import { connectTestBus, createInbox, startNatsServer, type Inbox, type NatsServer } from "@voxbus/testing";
import { ulid } from "ulid";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { buildTools, tools } from "./app.ts";

let nats: NatsServer;
let bus: Bus;
let registry: Registry;
const running: Running[] = [];
const undo: (() => unknown)[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
  registry = await createRegistry(bus, {
    id: "gateway",
    epoch: ulid(),
    address: "127.0.0.1",
    load: () => ({ connections: 1, speaking: 0 }),
  });
  await start();
});
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});
afterAll(async () => {
  for (const program of running) await program.stop("quick");
  await registry.close();
  await bus.close();
  await nats.stop();
});

async function start(): Promise<Running> {
  const program = await startSubscriber(tools, buildTools, {
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_TOOLS_OPS_PORT: "0",
    VOXBUS_TOOLS_DEVICE_MS: "500",
    VOXBUS_LOG_LEVEL: "fatal",
  });
  running.push(program);
  return program;
}

interface TestDevice {
  readonly session: string;
  readonly frames: Inbox<Outbound>;
  readonly says: Inbox<Say>;
  call(name: string, args?: Record<string, unknown>, id?: string): Promise<string>;
}

let turns = 0;

/** A device as the bus sees it, with a gateway that plays every announcement to its end. */
function openDevice(device: string, call: { language?: string; timeZone?: string } = {}): TestDevice {
  const session = ulid();
  const frames = createInbox<Outbound>();
  const says = createInbox<Say>();
  const closers = [
    bus.subscribe(channels.out(device), (frame) => frames.put(frame)),
    bus.subscribe(stored(channels.sayOpen(device)), (say) => {
      says.put(say);
      const turn = { reply: say.reply, complete: true, fenced: 0, dropped: 0, late: 0 };
      bus.publish(channels.event(device), { session, at: Date.now(), gateway: "gateway", turn });
    }),
  ];
  undo.push(() => closers.forEach((closer) => closer.close()));
  return {
    session,
    frames,
    says,
    async call(name, args = {}, id = `${session}:${(turns += 1)}:1`) {
      const deadline = Date.now() + 10_000;
      const request = { id, device, session, origin: turns, args, deadline, language: "en", timeZone: "UTC", ...call };
      return (await bus.request(channels.tool(name), request, { timeoutMs: 10_000 })).text;
    },
  };
}

/** Connects a device to its gateway. */
async function connect(device: string, { session }: TestDevice, features: Features = { mcp: true }): Promise<void> {
  const state = { session, since: 0, remote: "127.0.0.1", protocol: 1, features, state: "active" as const };
  await registry.enter(device, state, AbortSignal.timeout(5000));
}

/** Answers the calls of a device's own tools, which dialogue has listed. */
async function giveTools(
  device: string,
  { session, frames }: TestDevice,
  toolsOf: Readonly<Record<string, (args: Record<string, unknown>) => unknown>>,
): Promise<readonly [name: string, args: object][]> {
  const calls: [string, object][] = [];
  const names = Object.keys(toolsOf);
  await bus.bucket(buckets.tools).put(
    session,
    names.map((name) => ({ name, description: "", inputSchema: {} })),
  );
  let seq = 0;
  const answering = bus.subscribe(channels.out(device), ({ kind, body }) => {
    if (kind !== "text" || body.type !== "mcp") return;
    const { id, params } = parseJson(body.payload) as { id: number; params: { name: string; arguments: object } };
    calls.push([params.name, params.arguments]);
    const result = toolsOf[params.name]?.({ ...params.arguments });
    if (result === undefined) return;
    const payload = JSON.stringify({ jsonrpc: "2.0", id, result });
    void bus.store(channels.inControl(device), {
      session,
      seq: (seq += 1),
      at: 1,
      kind: "control",
      body: { type: "mcp", payload },
    });
  });
  undo.push(() => answering.close());
  await bus.flush();
  expect(frames.items).toEqual([]);
  return calls;
}

test("tools: their names are those that other programs keep free", async () => {
  let names: readonly string[] = [];
  const discovery = bus.discover(({ name, endpoints }) => {
    if (name === "tools") names = endpoints?.map((endpoint) => endpoint.name) ?? [];
  });
  undo.push(() => discovery.close());
  discovery.ask();
  await vi.waitFor(() => expect(names.toSorted()).toEqual(builtInTools.toSorted()), { timeout: 10_000 });
});

test("time: it is told where the device is, and at other places in the language of the call", async () => {
  const device = openDevice("clock", { timeZone: "Europe/Berlin" });
  const german = openDevice("uhr", { language: "de", timeZone: "Europe/Berlin" });
  const time = (timeZone: string, language: string) =>
    new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit", timeZone })
      .format(Date.now())
      .replaceAll(/\p{Zs}/gu, " ");
  expect(await device.call("get_time")).toMatch(/^It is \d+:\d\d [AP]M on \w+day, \w+ \d+, \d{4}\.$/);
  const before = time("Asia/Tokyo", "en");
  const text = await device.call("get_time", { place: "Tokyo" });
  expect([before, time("Asia/Tokyo", "en")].some((one) => text.startsWith(`It is ${one} on `))).toBe(true);
  expect(text).toMatch(/ in Tokyo\.$/);
  expect(await german.call("get_time", { place: "Japan" })).toMatch(/^In Japan ist es \d{1,2}:\d\d Uhr, /);
  expect(await device.call("get_time", { place: "Atlantis" })).toBe("I do not know a place named Atlantis.");
  expect(await device.call("get_time", { place: "USA" })).toMatch(
    /USA has several time zones\. Name a city, such as .* or /,
  );
  await expect(device.call("get_time", { place: 5 })).rejects.toThrow(/bad arguments/);
});

test("timers: they are set, listed and canceled by name, length or time of day, in the language of the call", async () => {
  const device = openDevice("aa:bb:cc:dd:ee:01");
  expect(await device.call("list_timers")).toBe("There is no timer and no alarm.");
  expect(await device.call("set_timer", { minutes: 5, name: "tea" })).toBe("The tea timer rings in 5 minutes.");
  expect(await device.call("set_timer", { hours: 1, minutes: 30 })).toBe(
    "The timer for 1 hour and 30 minutes rings in 1 hour and 30 minutes.",
  );
  expect(await device.call("set_alarm", { time: "07:30", days: ["monday", "friday", "monday"], name: "school" })).toBe(
    "The alarm for 7:30 AM, school, rings every Monday and Friday.",
  );
  expect(await device.call("set_alarm", { time: "23:59" })).toMatch(/^The alarm for 11:59 PM rings on \w+day, /);
  const list = await device.call("list_timers");
  expect(list).toContain("The tea timer rings in ");
  expect(list.split(/(?<=\.) /)).toHaveLength(4);
  expect(await device.call("cancel_timers", { name: "rice" })).toMatch(
    /^There is no timer or alarm named rice\. The tea timer/,
  );
  expect(await device.call("cancel_timers", { name: "steak" })).toMatch(/^There is no timer or alarm named steak\./);
  expect(await device.call("cancel_timers", { name: "The Tea Timer" })).toBe("The tea timer is canceled.");
  expect(await device.call("cancel_timers", { name: "11:59" })).toBe("The alarm for 11:59 PM is canceled.");
  expect(await device.call("cancel_timers", { kind: "alarm" })).toBe("The alarm for 7:30 AM, school, is canceled.");
  expect(await device.call("cancel_timers", { name: "90 minutes" })).toMatch(/canceled\.$/);
  expect(await device.call("cancel_timers")).toBe("There is no timer and no alarm.");
});

test("timers: an alarm is set for the local time of the device, also across a change of its offset", async () => {
  const device = openDevice("local", { timeZone: "America/New_York", language: "de" });
  // Half a year ahead, the offset of the zone is another one.
  const day = new Date(bus.now() + 180 * 86_400_000).toISOString().slice(0, 10);
  await device.call("set_alarm", { time: "06:15", date: day });
  const [id] = await bus.bucket(buckets.reminders).ids("local");
  const { dueAt } = (await bus.bucket(buckets.reminders).get(id!))!.value!;
  const format = new Intl.DateTimeFormat("sv", {
    dateStyle: "short",
    timeStyle: "short",
    timeZone: "America/New_York",
  });
  expect(format.format(dueAt)).toBe(`${day} 06:15`);
});

test.each([
  ["set_timer", {}, /from 1 second to 24 hours/],
  ["set_timer", { hours: 24, seconds: 1 }, /from 1 second to 24 hours/],
  ["set_timer", { minutes: -1 }, /bad arguments.*minutes/],
  ["set_timer", { minutes: 1, name: "x".repeat(65) }, /bad arguments.*name/],
  ["set_alarm", { time: "7:30" }, /bad arguments.*time/],
  ["set_alarm", { time: "24:00" }, /bad arguments.*time/],
  ["set_alarm", { time: "07:30", days: [] }, /bad arguments.*days/],
  ["set_alarm", { time: "07:30", date: "2026-02-30" }, /a date such as/],
  ["set_alarm", { time: "07:30", date: "2001-01-01" }, /within a year/],
  ["set_alarm", { time: "07:30", date: "9999-01-01" }, /within a year/],
  ["set_alarm", { time: "07:30", date: "2026-12-24", days: ["monday"] }, /not both/],
])("timers: %s with %j is refused with what was expected", async (name, args, message) => {
  await expect(openDevice("odd").call(name, args)).rejects.toThrow(message);
});

test("timers: the same call sets one, and a device has at most 20", async () => {
  const device = openDevice("many");
  const id = `${device.session}:7:1`;
  expect(await device.call("set_timer", { minutes: 5 }, id)).toMatch(/rings in/);
  expect(await device.call("set_timer", { minutes: 5 }, id)).toMatch(/rings in/);
  for (let i = 0; i < 19; i += 1) await device.call("set_timer", { minutes: 5 });
  expect(await device.call("set_timer", { minutes: 5 })).toBe("This device has 20 timers and alarms already.");
  expect(await device.call("cancel_timers")).toBe("20 timers and alarms are canceled.");
});

test("timers: one rings on the device once although two processes run, and one of a device that was away when it is back", async () => {
  await start();
  const here = openDevice("here");
  await connect("here", here);
  await bus.bucket(buckets.profiles).put("away", { language: "de" });
  const away = openDevice("away");
  await here.call("set_timer", { seconds: 1, name: "tea" });
  await bus
    .bucket(buckets.reminders)
    .put("away.s-1-1", { device: "away", kind: "timer", name: "Tee", ms: 60_000, dueAt: bus.now() - 300_000 });
  expect(await here.says.take(() => true)).toMatchObject({
    text: "Your tea timer is done.",
    session: here.session,
    last: true,
  });
  expect(away.says.items).toEqual([]);
  await connect("away", away);
  expect(await away.says.take(() => true)).toMatchObject({
    text: "Dein Timer Tee ist vor 5 Minuten abgelaufen.",
    language: "de",
  });
  await vi.waitFor(async () => {
    expect(await here.call("list_timers")).toBe("There is no timer and no alarm.");
    expect(await away.call("list_timers")).toBe("There is no timer and no alarm.");
  });
  expect([here.says.items.length, away.says.items.length]).toEqual([1, 1]);
});

test("end: the gateway is told to close the session after the turn of the call", async () => {
  const device = openDevice("over");
  expect(await device.call("end_conversation")).toBe("The conversation ends after this answer.");
  const frame = await device.frames.take(({ kind }) => kind === "control");
  expect(frame).toMatchObject({ session: device.session, origin: turns, body: { type: "close" } });
});

test("levels: they are set with the device's own tools, to a percent or by some, from 0 to 100", async () => {
  const device = openDevice("box");
  const status = { audio_speaker: { volume: 95 }, screen: { brightness: 30 } };
  const calls = await giveTools("box", device, {
    "self.get_device_status": () => ({ content: [{ type: "text", text: JSON.stringify(status) }], isError: false }),
    "self.audio_speaker.set_volume": () => true,
    "self.screen.set_brightness": () => ({ content: [{ type: "text", text: "true" }] }),
  });
  expect(await device.call("set_volume", { percent: 40 })).toBe("The volume is now 40 percent.");
  expect(await device.call("set_volume", { change: 10 })).toBe("The volume is now 100 percent.");
  expect(await device.call("set_brightness", { change: -50 })).toBe("The brightness is now 0 percent.");
  expect(calls.filter(([name]) => name !== "self.get_device_status")).toEqual([
    ["self.audio_speaker.set_volume", { volume: 40 }],
    ["self.audio_speaker.set_volume", { volume: 100 }],
    ["self.screen.set_brightness", { brightness: 0 }],
  ]);
  await expect(device.call("set_volume", {})).rejects.toThrow("expected either percent or change");
  await expect(device.call("set_volume", { percent: 101 })).rejects.toThrow(/bad arguments.*percent/);
});

test("levels: a device without the tool, that refuses or that does not answer is told as it is", async () => {
  const plain = openDevice("plain");
  await giveTools("plain", plain, { "self.lamp.turn_on": () => true });
  const text = "This device does not let me change its volume.";
  expect(await plain.call("set_volume", { percent: 40 })).toBe(text);
  const bare = openDevice("bare");
  await connect("bare", bare, {});
  // The program may learn of the device later.
  await vi.waitFor(async () => expect(await bare.call("set_volume", { percent: 40 })).toBe(text));
  const mute = openDevice("mute");
  await giveTools("mute", mute, {
    "self.audio_speaker.set_volume": () => undefined,
    "self.screen.set_brightness": () => ({ isError: true, content: [{ type: "text", text: "no screen" }] }),
  });
  await expect(mute.call("set_volume", { percent: 40 })).rejects.toThrow("the device did not answer within 500 ms");
  await expect(mute.call("set_brightness", { percent: 40 })).rejects.toThrow("the device refused: no screen");
  await expect(mute.call("set_volume", { change: 5 })).rejects.toThrow("the device does not tell its volume");
});

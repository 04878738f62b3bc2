import { type BucketName, buckets, channels, decodeEnvelope, envelopes, ProtocolError, stored } from "@voxbus/protocol";
import { distort } from "./absurd.ts";
import { mutateBytes } from "./mutate.ts";
import { makeEnvelope } from "./parsers.ts";
import type { Random } from "./random.ts";
import { envelopeSeeds } from "./seeds.ts";

/** A message for the bus. `refusal` is the name that its readers must count, or undefined if it is well-formed. */
export interface BusMessage {
  readonly target: string;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly refusal?: string | undefined;
  /** True if the gateway reads it in any case, and so must count it. */
  readonly atGateway?: boolean;
}

/** The receivers of messages. */
export interface Addressees {
  readonly gateway: string;
  /** The victims with their open sessions. */
  readonly victims: ReadonlyMap<string, string>;
}

// Well-formed work would be done: a flood of it would be a load test.
const workOneIn = 8;
const harmless = /"type":"(?:llm|mcp|custom|alert|iot|notify)"/;
const devices = Array.from({ length: 10 }, (_, at) => `fuzz-${at}`);
// No gateway accepts these, but any program on the bus can write them.
const strange = ["=default", "a=b", "größe", "x".repeat(300), "fuzz$", "%2e", "__proto__", "constructor"];
const session = "01K6WZ7S5XK4Q0J7M3N8R2T9VA";

type Maker = (random: Random, to: Addressees, absurd: readonly unknown[]) => BusMessage;

const deviceOf = (random: Random, to: Addressees) => {
  if (random.oneIn(12)) return random.pick(strange);
  return random.oneIn(3) ? random.pick([...to.victims.keys()]) : random.pick(devices);
};

function judge(name: keyof typeof envelopes, data: Uint8Array): string | undefined {
  try {
    decodeEnvelope(envelopes[name], data);
    return undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

/** Makes work for asr, dialogue or tts: mostly malformed, and sometimes well-formed but impossible. */
const makeWork =
  (
    target: string,
    name: keyof typeof envelopes,
    toChannel: (device: string) => { readonly subject: string },
    fits?: (seed: object) => boolean,
  ): Maker =>
  (random, to, absurd) => {
    const device = deviceOf(random, to);
    const seeds = envelopeSeeds[name].filter((seed) => fits?.(seed) ?? true);
    const valid = { ...random.pick(seeds), ...(random.oneIn(2) ? { session: to.victims.get(device) ?? session } : {}) };
    const data = makeEnvelope(random, valid, absurd);
    const refusal = judge(name, data);
    const message = { target, subject: toChannel(device).subject, data, refusal };
    if (refusal !== undefined || random.oneIn(workOneIn)) return message;
    return { ...message, data: data.subarray(0, -1), refusal: "bad-envelope" };
  };

const opensReply = (seed: object) => (seed as { readonly sentence?: number }).sentence === 0;
const followsOpening = (seed: object) => !opensReply(seed);
const typeOf = (seed: object) => (seed as { readonly body?: { readonly type?: string } }).body?.type;

const makers: readonly Maker[] = [
  makeWork("in.text", "in.text", channels.inText),
  makeWork("in.control", "in.control", channels.inControl, (seed) => typeOf(seed) !== "listen"),
  makeWork("in.control.open", "in.control", channels.inControlOpen, (seed) => typeOf(seed) === "listen"),
  makeWork("heard", "heard", channels.heard),
  makeWork("heard.partial", "heard", channels.heardPartial),
  makeWork("stored heard", "heard", (device) => stored(channels.heard(device))),
  makeWork("stored say", "say", (device) => stored(channels.say(device)), followsOpening),
  makeWork("stored say.open", "say", (device) => stored(channels.sayOpen(device)), opensReply),
  makeWork("say", "say", channels.say, followsOpening),
  makeWork("say.open", "say", channels.sayOpen, opensReply),
  (random, to, absurd) => {
    const data = makeEnvelope(random, random.pick(envelopeSeeds["in.audio"]), absurd);
    return { target: "in.audio", subject: channels.inAudio(deviceOf(random, to)).subject, data };
  },
  (random, to, absurd) => {
    const data = makeEnvelope(random, random.pick(envelopeSeeds["event"]), absurd);
    return { target: "event", subject: channels.event(deviceOf(random, to)).subject, data };
  },
  (random, _to, absurd) => {
    const data = makeEnvelope(random, envelopeSeeds.stats[0]!, absurd);
    return { target: "stats", subject: channels.stats(random.pick(["asr", "gateway", "x", "*"])).subject, data };
  },
  (random, _to, absurd) => {
    const data = makeEnvelope(random, envelopeSeeds.alert[0]!, absurd);
    return { target: "alert", subject: channels.alert(random.pick(["low", "high", "x"])).subject, data };
  },
  (random, _to, absurd) => {
    const data = makeEnvelope(random, envelopeSeeds.error[0]!, absurd);
    return { target: "error", subject: channels.error(random.pick(["asr", "gateway", "x", "*"])).subject, data };
  },
  makeTool("tool call", channels.tool),
  makeTool("tool cancel", channels.toolCancel),
  makeTool("tool change", channels.toolChange),
  makeOut,
  makeOut,
  makeFleetOut,
  function makeCommand(random, to, absurd) {
    const data = makeEnvelope(random, envelopeSeeds["command"][0]!, absurd);
    const refusal = judge("command", data);
    return { target: "command", subject: channels.command(to.gateway).subject, data, refusal, atGateway: true };
  },
  function makeReplay(random, to, absurd) {
    const valid = { ...random.pick(envelopeSeeds["replay request"]), session: random.pick([...to.victims.values()]) };
    const data = makeEnvelope(random, valid, absurd);
    const refusal = judge("replay request", data);
    return { target: "replay", subject: channels.replay(to.gateway).subject, data, refusal, atGateway: true };
  },
  function makeSound(random, to, absurd) {
    const data = makeEnvelope(random, envelopeSeeds["sound request"][0]!, absurd);
    const refusal = judge("sound request", data);
    return { target: "sound", subject: channels.sound(to.gateway).subject, data, refusal, atGateway: true };
  },
  makeRecord,
  makeRecord,
];

/** Makes messages for tools that a program offers, and for others. */
function makeTool(name: "tool call" | "tool cancel" | "tool change", toChannel: (tool: string) => { subject: string }) {
  return (random: Random, _to: Addressees, absurd: readonly unknown[]): BusMessage => {
    const data = makeEnvelope(random, envelopeSeeds[name][0]!, absurd);
    return { target: name, subject: toChannel(random.pick(["get_time", "set_timer", "x", "*"])).subject, data };
  };
}

/** Makes frames for victims, with their own session, another one, or none. */
function makeOut(random: Random, to: Addressees, absurd: readonly unknown[]): BusMessage {
  const [device, own] = random.pick([...to.victims]);
  const place = random.pick([{ session: own }, { session: own, origin: 1 + random.below(40) }, {}]);
  const valid = { ...random.pick(envelopeSeeds["out"]), ...place };
  const data = makeEnvelope(random, valid, absurd);
  return { target: "out", subject: channels.out(device).subject, data, refusal: judge("out", data) };
}

/** Makes frames for all devices. Valid ones are left out, since the bystander would play them. */
function makeFleetOut(random: Random, _to: Addressees, absurd: readonly unknown[]): BusMessage {
  const { subject } = random.oneIn(2) ? channels.groupOut(random.pick(["fuzz", "default", "x"])) : channels.fleetOut();
  const valid = random.pick(envelopeSeeds["out"]);
  const isHarmless = harmless.test(JSON.stringify(valid));
  const data = makeEnvelope(random, isHarmless ? valid : { ...valid, session }, absurd);
  const message = { target: "fleet.out", subject, atGateway: true };
  const refusal = judge("out", data);
  if (refusal !== undefined || random.oneIn(4)) {
    const taken = refusal === undefined ? decodeEnvelope(envelopes.out, data) : undefined;
    const isForNobody = taken === undefined || taken.session !== undefined || harmless.test(JSON.stringify(taken.body));
    if (isForNobody) return { ...message, data, refusal };
  }
  return { ...message, data: data.subarray(0, -1), refusal: "bad-envelope" };
}

/** A valid record of each bucket. */
const records: Readonly<Record<BucketName, object>> = {
  presence: { term: 3, gateway: "g9", epoch: "01K6", session, since: 5, remote: "127.0.0.1", protocol: 1, features: { mcp: true }, state: "active" },
  gateways: { id: "g9", epoch: "01K6", address: "http://x", load: { connections: 1, speaking: 0 }, draining: false, since: 5 },
  profiles: { language: "en", timeZone: "Europe/Berlin", wakeWords: ["hey"], group: "fuzz", lead: 3, deadlineMs: 2000, farewell: "Bye." },
  dialogues: { messages: [{ role: "user", text: "hello", at: 5 }, { role: "assistant", text: "hi", at: 6 }], turns: [{ session, origin: 3, at: 7, user: "on", calls: [{ name: "self.lamp", args: "{}", text: "on" }], said: ["Yes."], heard: 1, end: "interrupted" }] },
  tools: [{ name: "self.lamp", description: "A lamp", inputSchema: { type: "object", properties: {} } }],
  "tool-calls": { name: "self.lamp", args: "{}", text: "on" },
  reminders: { device: "bystander", text: "tea", dueAt: 5 },
  kept: { messages: [{ id: "k1", state: "waiting", at: 5, expiresAt: 9e12, text: "tea", emotion: "happy", language: "en", ring: { reply: "r1", session, at: 6 }, missed: { session, at: 6 }, tries: 1 }] },
  devices: { lastSeen: 5, lastReason: "done", totalOnline: 5, session, firstSeen: 1, firmware: "2.4.2", board: "lamp", update: { version: "2.5", state: "downloading", percent: 40, at: 5 } },
  registry: { name: "Kitchen", allowed: false, note: "n", tokens: [{ hash: "h".repeat(43), renewAt: 5, until: 6 }], since: 5 },
  activations: { device: "bystander", token: { hash: "h".repeat(43), renewAt: 5, until: 6 }, challenge: "c", remote: "127.0.0.1", network: "127.0.0.1", board: "lamp", firmware: "2.4.2", at: 5 },
  api: { scope: "admin", hash: "h".repeat(64), createdAt: 5, expiresAt: 6 },
  monitor: { instance: "01K6", at: 5 },
  probes: { at: 5 },
  naks: ["01K6"],
}; // prettier-ignore

/** The keys that programs read during the run. */
const keysOf: Readonly<Record<BucketName, (to: Addressees) => readonly string[]>> = {
  gateways: ({ gateway }) => [gateway],
  presence: ({ gateway }) => [`=canary-${gateway}`],
  profiles: ({ victims }) => ["bystander", "=default", "=group-fuzz", ...victims.keys()],
  dialogues: ({ victims }) => ["bystander", ...victims.keys()],
  tools: ({ victims }) => [...victims.values()],
  "tool-calls": ({ victims }) => [...victims.values()].map((own) => `${own}.1.0`),
  reminders: ({ victims }) => [...victims].map(([device, own]) => `${device}.${own}-1-0`),
  kept: ({ victims }) => ["bystander", ...victims.keys()],
  devices: ({ victims }) => ["bystander", ...victims.keys()],
  registry: ({ victims }) => ["bystander", ...victims.keys()],
  activations: () => ["000001"],
  api: () => ["token.fuzz", "webhook.fuzz"],
  monitor: () => ["=lease", "=gateways", "alert.memory.asr"],
  probes: () => ["fuzz"],
  naks: () => ["TURNS.tts.x", "TURNS.dialogue.x", "DEVICE_IN.asr.x", "DEVICE_IN.dialogue.x"],
};

/** Makes a record in a bucket, written directly. A valid one would be a setting, a takeover or work, so it is broken. */
function makeRecord(random: Random, to: Addressees, absurd: readonly unknown[]): BusMessage {
  const bucket = random.pick(Object.keys(records) as BucketName[]);
  const valid = records[bucket];
  const key = random.pick([...devices, ...keysOf[bucket](to), "=default", "=x", "a/b"]);
  let data: Uint8Array = mutateBytes(random, Buffer.from(JSON.stringify(valid)));
  if (random.oneIn(2)) {
    try {
      data = Buffer.from(JSON.stringify(distort(random, valid, absurd)) ?? "");
    } catch {
      data = Buffer.from("{"); // a bigint, which JSON lacks
    }
  }
  // A profile without its invalid fields is a setting. Only victims may get one.
  const isOwn = bucket === "profiles" && !["bystander", "=default", "=group-fuzz"].includes(key);
  if (!isOwn && isValid(bucket, data)) data = data.subarray(0, -1);
  return { target: `KV ${bucket}`, subject: `$KV.voxbus_${bucket}.${key}`, data };
}

function isValid(bucket: BucketName, data: Uint8Array): boolean {
  const rows = Object.values(buckets).filter((row) => row.bucket === bucket);
  try {
    const value: unknown = JSON.parse(Buffer.from(data).toString("utf8"));
    return rows.some(({ schema }) => schema.safeParse(value).success);
  } catch {
    return false; // not JSON
  }
}

/** Makes a bad message for any subject of the bus. */
export function makeBusMessage(random: Random, to: Addressees, absurd: readonly unknown[]): BusMessage {
  return random.pick(makers)(random, to, absurd);
}

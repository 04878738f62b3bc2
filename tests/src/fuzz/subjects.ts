import { channels, decodeEnvelope, envelopes, GatewayLease, ProtocolError, StoredProfile } from "@voxbus/protocol";
import { z } from "@voxbus/subscriber";
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

const typeOf = (seed: object) => (seed as { readonly body?: { readonly type?: string } }).body?.type;

const makers: readonly Maker[] = [
  makeWork("in.text", "in.text", channels.inText),
  makeWork("in.control", "in.control", channels.inControl, (seed) => typeOf(seed) !== "listen"),
  makeWork("in.control.open", "in.control", channels.inControlOpen, (seed) => typeOf(seed) === "listen"),
  makeWork("heard", "heard", channels.heard),
  makeWork("say", "say", channels.say),
  makeWork("say.open", "say", channels.sayOpen),
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
  makeRecord,
];

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

const records: Readonly<Record<string, object>> = {
  presence: { term: 3, gateway: "g9", epoch: "01K6", session, since: 5, remote: "127.0.0.1", protocol: 1, features: { mcp: true }, state: "active" },
  gateways: { id: "g9", epoch: "01K6", address: "http://x", load: { connections: 1, speaking: 0 }, draining: false, since: 5 },
  profiles: { language: "en", timeZone: "Europe/Berlin", wakeWords: ["hey"], group: "fuzz", lead: 3, deadlineMs: 2000, farewell: "Bye." },
  dialogues: { messages: [{ role: "user", text: "hello", at: 5 }, { role: "assistant", text: "hi", at: 6 }] },
}; // prettier-ignore

/** Makes a record in a bucket, written directly. */
function makeRecord(random: Random, to: Addressees, absurd: readonly unknown[]): BusMessage {
  const bucket = random.pick(Object.keys(records));
  const valid = records[bucket]!;
  const key = random.pick([...devices, ...keysOf(bucket, to), "=default", "=x", "a/b"]);
  let data: Uint8Array = mutateBytes(random, Buffer.from(JSON.stringify(valid)));
  if (random.oneIn(2)) {
    try {
      data = Buffer.from(JSON.stringify(distort(random, valid, absurd)) ?? "");
    } catch {
      data = Buffer.from("{"); // a bigint, which JSON lacks
    }
  }
  // A valid record, or a field of a profile, would be a setting, a takeover or a rival, and not bad input.
  const isMeant = isShared(key, to) && isValid(bucket, data);
  return { target: `KV ${bucket}`, subject: `$KV.${bucket}.${isMeant ? "=other" : key}`, data };
}

/** The keys that programs read during the run. */
function keysOf(bucket: string, to: Addressees): readonly string[] {
  if (bucket === "gateways") return [to.gateway];
  if (bucket === "presence") return [`=canary-${to.gateway}`];
  return ["bystander", ...to.victims.keys()];
}

function isShared(key: string, { gateway }: Addressees): boolean {
  return ["bystander", "=default", gateway, `=canary-${gateway}`].includes(key);
}

function isValid(bucket: string, data: Uint8Array): boolean {
  const schema = { gateways: GatewayLease, profiles: StoredProfile, presence: z.looseObject({ epoch: z.unknown() }) }[
    bucket
  ];
  try {
    return schema?.safeParse(JSON.parse(Buffer.from(data).toString("utf8"))).success ?? false;
  } catch {
    return false; // not JSON
  }
}
/** Makes a bad message for any subject of the bus. */
export function makeBusMessage(random: Random, to: Addressees, absurd: readonly unknown[]): BusMessage {
  return random.pick(makers)(random, to, absurd);
}

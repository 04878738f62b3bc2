import type { z } from "zod";
import { Event, Heard, Say, SayNext, SayOpen } from "./envelopes/turns.ts";
import { InAudio, Inbound, InControlFrame, InText } from "./envelopes/inbound.ts";
import { Outbound } from "./envelopes/outbound.ts";
import {
  Alert,
  BadMessage,
  Command,
  ReplayAnswer,
  ReplayRequest,
  SoundAnswer,
  SoundRequest,
  Stats,
} from "./envelopes/operations.ts";
import { ToolCall, ToolCancel, ToolChange, ToolResult } from "./envelopes/tools.ts";

/** The kinds of frame that a device sends and receives. */
export const kinds = ["text", "audio", "control"] as const;
export type Kind = (typeof kinds)[number];

/** The streams of docs/bus.md. */
export const streamNames = ["DEVICE_IN", "TURNS"] as const;
export type StreamName = (typeof streamNames)[number];

/**
 * How a channel's messages are delivered. `live`: core NATS, at most once. `DEVICE_IN`, `TURNS`: stored in that stream.
 * `republished`: by a stream, after it stored the message. `request`: answered. `view`: read-only, over several channels.
 */
export type Delivery = "live" | StreamName | "republished" | "request" | "view";

/** One row of the table: a subject pattern with its envelope, its delivery and its headers. */
export interface ChannelRow<S extends z.ZodType = z.ZodType, D extends Delivery = Delivery> {
  /** The subject with its id in angle brackets, as docs/bus.md writes it. */
  readonly pattern: string;
  readonly schema: S;
  readonly delivery: D;
  /** True when messages carry trace context. Audio frames carry no headers. */
  readonly traced: boolean;
}

/** A channel: a row of the table with its subject filled in. Only the row's envelope passes through it. */
export interface Channel<S extends z.ZodType = z.ZodType, D extends Delivery = Delivery> extends ChannelRow<S, D> {
  readonly subject: string;
}

/** A channel on which a question is answered. */
export interface RequestChannel<Q extends z.ZodType, A extends z.ZodType> extends Channel<Q, "request"> {
  readonly answer: A;
}

/** Makes a channel of a row. The id defaults to `*`: the channels of all ids. The channel has the schema `taken` if there is one. */
type ToChannel<R extends ChannelRow> = R & ((id?: string) => R & { readonly subject: string });

/** The parts of a row. `taken`: the subject takes only these messages of the envelope. */
interface GivenRow extends Omit<ChannelRow, "traced"> {
  readonly taken?: z.ZodType;
  readonly answer?: z.ZodType;
}

function row<R extends GivenRow>(given: R, traced = true): ToChannel<R & { readonly traced: boolean }> {
  const { pattern, delivery, answer, taken: schema = given.schema } = given;
  const [prefix = "", suffix] = pattern.split(/<\w+>/);
  // Runs for every message: an object literal, unlike a spread, costs next to nothing.
  const toChannel = (id = "*") => {
    const subject = suffix === undefined ? prefix : prefix + id + suffix;
    return { subject, pattern, schema, delivery, traced, answer };
  };
  return Object.assign(toChannel, { ...given, traced }) as unknown as ToChannel<R & { readonly traced: boolean }>;
}

/**
 * Every channel of the bus. A row is a function of the id in its pattern, which `parseDeviceId` or `parseName` has
 * checked. docs/bus.md has the same table with writers and readers.
 */
export const channels = {
  /** Text that a device typed, or recognized itself. */
  inText: row({ pattern: "device.<id>.in.text", schema: InText, delivery: "DEVICE_IN" }),
  /** One Opus packet of a device. */
  inAudio: row({ pattern: "device.<id>.in.audio", schema: InAudio, delivery: "live" }, false),
  /** A control frame of a device. */
  inControl: row({ pattern: "device.<id>.in.control", schema: InControlFrame, delivery: "DEVICE_IN" }),
  /** `listen` `start`: the job that one asr claims. */
  inControlOpen: row({ pattern: "device.<id>.in.control.open", schema: InControlFrame, delivery: "DEVICE_IN" }),
  /** Every inbound frame of a device, of all kinds. */
  inbound: row({ pattern: "device.<id>.in.>", schema: Inbound, delivery: "view" }),
  /** Partial transcripts. */
  heardPartial: row({ pattern: "device.<id>.heard.partial", schema: Heard, delivery: "live" }),
  /** Final transcripts. */
  heard: row({ pattern: "device.<id>.heard", schema: Heard, delivery: "TURNS" }),
  /** A reply's sentences after the first. */
  say: row({ pattern: "device.<id>.say", schema: Say, taken: SayNext, delivery: "TURNS" }),
  /** A reply's sentence 0: the job that one tts claims. */
  sayOpen: row({ pattern: "device.<id>.say.open", schema: Say, taken: SayOpen, delivery: "TURNS" }),
  /** Frames for a device. */
  out: row({ pattern: "device.<id>.out", schema: Outbound, delivery: "live" }),
  /** Changes of a session's state, and played turns. */
  event: row({ pattern: "device.<id>.event", schema: Event, delivery: "live" }),
  /** The same frame for every device. */
  fleetOut: row({ pattern: "fleet.out", schema: Outbound, delivery: "live" }),
  /** The same frame for every device of a group. */
  groupOut: row({ pattern: "fleet.<group>.out", schema: Outbound, delivery: "live" }),
  /** Commands to one gateway. */
  command: row({ pattern: "gateway.<gid>.command", schema: Command, delivery: "live" }),
  /** The frames of a session again. */
  replay: row({ pattern: "gateway.<gid>.replay", schema: ReplayRequest, answer: ReplayAnswer, delivery: "request" }),
  /** A sound that an idle device fetches from another gateway than the one that keeps it. */
  sound: row({ pattern: "gateway.<gid>.sound", schema: SoundRequest, answer: SoundAnswer, delivery: "request" }),
  /** A call of a tool on the bus. */
  tool: row({ pattern: "tool.<name>", schema: ToolCall, answer: ToolResult, delivery: "request" }),
  /** The end of the wait for a call. */
  toolCancel: row({ pattern: "tool.<name>.cancel", schema: ToolCancel, delivery: "live" }, false),
  /** A tool that has begun, changed or ended. */
  toolChange: row({ pattern: "tool.<name>.change", schema: ToolChange, delivery: "live" }, false),
  /** Alerts, by severity. */
  alert: row({ pattern: "alert.<severity>", schema: Alert, delivery: "live" }),
  /** A message that a program dropped. */
  error: row({ pattern: "error.<program>", schema: BadMessage, delivery: "live" }, false),
  /** A process's numbers about itself. */
  stats: row({ pattern: "stats.<program>", schema: Stats, delivery: "live" }),
} as const;

/** The subject under which the stream `TURNS` publishes again what it stored on `subject`. */
export const storedPattern = "stored.<subject>";

/**
 * Gives the channel of what `TURNS` has stored, published again. Follow it where acting twice does harm: the raw channel
 * also shows what the stream refused.
 */
export function stored<S extends z.ZodType>(channel: Channel<S, "TURNS">): Channel<S, "republished"> {
  return { ...channel, subject: storedPattern.replace("<subject>", channel.subject), delivery: "republished" };
}

/** The subject under which a shadow publishes what it would publish on `subject`. */
export const shadowPattern = "shadow.<name>.<subject>";

/** Gives the channel of a shadow, or with `*` of all shadows, for what it would publish on a channel. */
export function shadowOf<S extends z.ZodType>(channel: Channel<S>, name = "*"): Channel<S, "live"> {
  const subject = shadowPattern.replace("<name>", name).replace("<subject>", channel.subject);
  return { ...channel, subject, pattern: shadowPattern.replace("<subject>", channel.pattern), delivery: "live" };
}

/** Tells whether a shadow publishes on a channel what the real program would publish or store there. */
export function hasShadow({ delivery }: Pick<ChannelRow, "delivery">): boolean {
  return delivery === "live" || streamNames.some((stream) => stream === delivery);
}

/** The subject patterns that a stream stores, `*` in place of ids. */
export function subjectsOfStream(stream: StreamName): string[] {
  return Object.values(channels).flatMap((toChannel) => (toChannel.delivery === stream ? [toChannel().subject] : []));
}

/** The device id in a subject that begins with `device.<id>.`, `stored.device.<id>.` or `shadow.<name>.device.<id>.`, or undefined. */
export function deviceOfSubject(subject: string): string | undefined {
  const tokens = subject.split(".");
  const at = prefixTokens[tokens[0] ?? ""] ?? 0;
  return tokens[at] === "device" && tokens.length > at + 2 ? tokens[at + 1] : undefined;
}

/** The tokens before a channel's own subject. */
const prefixTokens: Readonly<Record<string, number>> = { stored: 1, shadow: 2 };

/** Every envelope by the name it has in docs/bus.md. */
export const envelopes = {
  "in.audio": InAudio,
  "in.text": InText,
  "in.control": InControlFrame,
  heard: Heard,
  say: Say,
  out: Outbound,
  event: Event,
  command: Command,
  "replay request": ReplayRequest,
  "replay answer": ReplayAnswer,
  "sound request": SoundRequest,
  "sound answer": SoundAnswer,
  "tool call": ToolCall,
  "tool result": ToolResult,
  "tool cancel": ToolCancel,
  "tool change": ToolChange,
  alert: Alert,
  error: BadMessage,
  stats: Stats,
} as const;

import { z } from "zod";
import {
  at,
  attempt,
  count,
  Features,
  jsonText,
  line,
  name,
  packet,
  packetMs,
  reply,
  seq,
  typedText,
} from "./fields.ts";
import { unionByType } from "../union.ts";
import { AudioState } from "./turns.ts";

/** How a listen ends: by voice detection (`auto`, `realtime`) or by the button (`manual`). */
export const ListenMode = z.enum(["auto", "manual", "realtime"]);
export type ListenMode = z.infer<typeof ListenMode>;

/** The name of a reply's frame: counts from 0, except `attempt` from 1. */
export const FrameName = z.object({ attempt, sentence: count, n: count });
export type FrameName = z.infer<typeof FrameName>;

/** The bodies of `in.control` and `in.control.open`, by `type`. */
export const inControls = {
  /**
   * The session began. The fields come from its hello; `frameDuration` in ms. A device that is reached while it is idle has no hello
   * yet: `audio` is `closed`, and each hello that opens its audio channel is published as another `opened`.
   */
  opened: z.object({
    type: z.literal("opened"),
    gateway: name,
    protocol: z.union([z.literal(1), z.literal(2), z.literal(3)]),
    features: Features,
    sampleRate: z.number().int().min(0).max(1_000_000),
    frameDuration: z.number().min(0).max(1_000_000),
    audio: AudioState.optional(),
  }),
  /** The session ended. */
  closed: z.object({ type: z.literal("closed"), code: z.number().int().min(0).max(65_535), reason: line }),
  /** Capture starts (on `in.control.open`); `gateway` answers replays. */
  listen: z.object({ type: z.literal("listen"), mode: ListenMode, gateway: name }),
  /** The button was released. */
  stop: z.object({ type: z.literal("stop") }),
  /** A wake word was detected by the device. */
  wake: z.object({ type: z.literal("wake"), text: typedText }),
  /** The user wants silence: the fence rises to this frame's own seq. */
  abort: z.object({ type: z.literal("abort"), reason: line.optional() }),
  /** The session's fence now stands at `fence`; `reply` names an announcement that it ended. */
  fence: z.object({ type: z.literal("fence"), fence: count, reply: reply.optional() }),
  /** Inbound frames dropped before they were published: their number, and the time from `from` to `to` in ms since the epoch. */
  gap: z.object({ type: z.literal("gap"), frames: seq, from: at, to: at, reason: line }),
  /** Asks tts for a reply's frames again: all after `after`, or from the first one. */
  resend: z.object({ type: z.literal("resend"), reply, origin: seq.optional(), after: FrameName.optional() }),
  /** A JSON-RPC message of the device, as unchecked JSON text. */
  mcp: z.object({ type: z.literal("mcp"), payload: jsonText }),
  /** Legacy descriptors and states, as unchecked JSON texts. */
  iot: z.object({
    type: z.literal("iot"),
    descriptors: jsonText.optional(),
    states: jsonText.optional(),
  }),
  /** The device announces its close. */
  goodbye: z.object({ type: z.literal("goodbye") }),
} as const;
/** The body of an inbound control frame. */
export const InControl = unionByType(inControls);
export type InControl = z.infer<typeof InControl>;

const inbound = { session: name, seq, at };
/** One Opus packet of a device, `duration` in ms. An older gateway leaves the duration out. */
export const InAudio = z.object({
  ...inbound,
  kind: z.literal("audio"),
  duration: packetMs.optional(),
  body: packet,
});
export type InAudio = z.infer<typeof InAudio>;
/** Typed text, or text that the device recognized itself. */
export const InText = z.object({ ...inbound, kind: z.literal("text"), body: typedText });
export type InText = z.infer<typeof InText>;
/** A control frame of a device. */
export const InControlFrame = z.object({ ...inbound, kind: z.literal("control"), body: InControl });
export type InControlFrame = z.infer<typeof InControlFrame>;
/** `device.<id>.in.*`: a published inbound frame; `seq` counts all kinds together from 1, `at` is ms since the epoch. */
export const Inbound = z.discriminatedUnion("kind", [InAudio, InText, InControlFrame]);
export type Inbound = z.infer<typeof Inbound>;

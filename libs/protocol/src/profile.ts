import { z } from "zod";
import { language, line, map, name, time, word } from "./envelopes/fields.ts";

// Making a formatter takes a tenth of a millisecond. A program reads thousands of profiles when it starts.
const usualZones: ReadonlySet<string> = new Set(Intl.supportedValuesOf("timeZone"));
/** An IANA time zone that `Intl` takes. */
export const timeZone = word.refine(isTimeZone, "must be an IANA time zone such as Europe/Berlin");
const pause = z.number().int().min(200).max(3000);
const mostEngines = 8;
/** The name of an engine, or several in order of preference. */
const engines = z.union([name, z.array(name).min(1).max(mostEngines)]).optional();
const label = z.string().min(1).max(64);
const spoken = z.string().max(200);

/** Parameters of requests to the language model. Without one, its server decides. */
const Model = z.object({
  temperature: z.number().min(0).max(2).optional().describe("0 to 2: how freely the model chooses its words"),
  topP: z.number().min(0).max(1).optional().describe("0 to 1: the share of likely words that it chooses from"),
  maxTokens: z.number().int().min(1).max(32_768).optional().describe("the longest answer, in tokens"),
});

/** A device's settings with defaults filled in. A change applies to the next turn. */
export const Profile = z.object({
  name: label.optional().describe("what the assistant is called: `{name}` in texts"),
  place: label.optional().describe("where the device stands: `{place}` in texts"),
  language: language.default("en").describe("BCP 47 language that is spoken"),
  voice: line.optional().describe("the synthesizer's voice"),
  engines: z.object({ asr: engines, tts: engines, llm: engines }).default({}),
  model: Model.default({}),
  prompt: z.string().max(16_384).optional().describe("the language model's instructions, with variables"),
  greeting: spoken.optional().describe("what is spoken when a conversation begins, with variables"),
  farewell: spoken
    .default("Goodbye for now.")
    .describe("what is spoken when a conversation ends in silence, with variables"),
  timeZone: timeZone.default("UTC").describe("IANA time zone"),
  wakeWords: z
    .array(line)
    .max(64)
    .default([])
    .describe("texts of listen/detect that are wake words and not typed text, beside those of the firmware"),
  group: name.optional().describe("the group whose profile applies and whose fleet.<group>.out reaches the device"),
  groups: z.array(name).max(16).default([]).describe("further groups; an earlier one comes before a later one"),
  tools: z
    .array(z.string().regex(/^[A-Za-z0-9_*-]{1,64}$/, "must be 1 to 64 characters of A-Z a-z 0-9 _ - *"))
    .min(1)
    .max(64)
    .optional()
    .describe("the tools of programs that the model may call, `*` for any characters; without it all of them"),
  lead: z.number().int().min(0).max(3).default(2).describe("frames sent ahead of the play-out clock"),
  startGapMs: z
    .number()
    .int()
    .min(0)
    .max(1000)
    .default(20)
    .describe("ms from tts start to the first packet; more for a device that loses the beginning of replies"),
  deadlineMs: z
    .number()
    .int()
    .min(1000)
    .max(120_000)
    .default(15_000)
    .describe("ms without a reply frame or a sign of life before a turn is given up; at least 3000"),
  dryMs: z
    .number()
    .int()
    .min(1000)
    .max(60_000)
    .default(5000)
    .describe("ms without a frame or a sign of life in mid-reply before it is given up; at least 3000"),
  pauseMs: pause.optional().describe("ms of silence that end an utterance; without it `VOXBUS_ASR_END_OF_SPEECH_MS`"),
  wholePauseMs: pause.default(300).describe("the same after a whole command, if the recognizer can tell"),
  begunPauseMs: pause.default(900).describe("the same after the beginning of a command, if the recognizer can tell"),
  silenceMs: z
    .number()
    .int()
    .min(0)
    .max(3_600_000)
    .default(120_000)
    .describe("ms without a voice in a listen before the conversation ends with a farewell; 0: never"),
  transport: z
    .enum(["websocket", "mqtt"])
    .default("websocket")
    .describe("how the device is told to connect when it boots; mqtt: it is reached while it is idle"),
  notify: z
    .boolean()
    .default(false)
    .describe("whether the firmware fetches and plays the sound of an announcement while it is idle"),
});
export type Profile = z.infer<typeof Profile>;

/** The fields that one level of profiles sets: any of them, without defaults. */
export const OwnProfile = z.object(
  Object.fromEntries(Object.entries(Profile.shape).map(([name, field]) => [name, withoutDefault(field)])) as {
    [K in keyof typeof Profile.shape]: z.ZodOptional<z.ZodType<Profile[K]>>;
  },
);
export type OwnProfile = z.infer<typeof OwnProfile>;

/** The names of all fields. A field within a map has a dot, as in `engines.llm`. */
export const profileFields: readonly string[] = Object.entries(OwnProfile.shape).flatMap(([name, field]) => {
  const inner = innerShape(field);
  return inner === undefined ? [name] : Object.keys(inner).map((key) => `${name}.${key}`);
});

/**
 * The fields of a stored profile that are valid, and the names of those that are not. `until`: a trial applies up to this
 * time, ms since the epoch.
 */
export interface StoredProfile {
  readonly own: OwnProfile;
  readonly invalid: readonly string[];
  readonly until: number;
}
/** A profile as it is read from its bucket: a field that is not valid counts as absent. */
export const StoredProfile = map.transform((stored): StoredProfile => {
  const invalid: string[] = [];
  const own = keepValid(OwnProfile.shape, stored, (field) => invalid.push(field));
  return { own, invalid, until: time.safeParse(stored["until"]).data ?? 0 };
}) as unknown as z.ZodType<StoredProfile, OwnProfile & { readonly until?: number }>;

/** Lists the groups of a device. An earlier one comes before a later one. */
export function groupsOf({ group, groups = [] }: Pick<OwnProfile, "group" | "groups">): readonly string[] {
  return [...new Set(group === undefined ? groups : [group, ...groups])];
}

function keepValid(
  shape: Readonly<Record<string, z.ZodType>>,
  stored: Readonly<Record<string, unknown>>,
  report: (field: string) => void,
): Record<string, unknown> {
  const known = Object.entries(stored).filter(([field]) => Object.hasOwn(shape, field));
  return Object.fromEntries(
    known.flatMap(([field, value]) => {
      const parsed = shape[field]!.safeParse(value);
      if (parsed.success) return [[field, parsed.data]];
      const inner = innerShape(shape[field]!);
      if (inner !== undefined && typeof value === "object" && value !== null)
        return [[field, keepValid(inner, value as Record<string, unknown>, (name) => report(`${field}.${name}`))]];
      report(field);
      return [];
    }),
  );
}

/** Gives the fields of an optional map, or undefined for a field of another type. */
function innerShape(field: z.ZodType): Readonly<Record<string, z.ZodType>> | undefined {
  const inner = field instanceof z.ZodOptional ? field.unwrap() : undefined;
  return inner instanceof z.ZodObject ? inner.shape : undefined;
}

// A stored default would hide the fleet's, as if somebody had chosen it.
function withoutDefault(field: z.ZodType): z.ZodType {
  const bare = field instanceof z.ZodDefault ? (field.unwrap() as z.ZodType).optional() : field;
  return field.description === undefined ? bare : bare.describe(field.description);
}

function isTimeZone(zone: string): boolean {
  if (usualZones.has(zone)) return true;
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

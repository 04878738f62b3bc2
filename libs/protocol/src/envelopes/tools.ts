import { z } from "zod";
import { at, language, map, name, reply, seq, text, word } from "./fields.ts";

/** `tool.<name>`: a call of a tool. `id` is `session:origin:k`, the same when the call is sent again. */
export const ToolCall = z.object({
  id: reply,
  device: word,
  session: name,
  origin: seq,
  args: map,
  language: language.optional(),
  timeZone: word.optional(),
  /** The time after which the caller no longer waits, ms since the epoch. */
  deadline: at,
});
export type ToolCall = z.infer<typeof ToolCall>;

/** The answer to a call: the text that the model is given. */
export const ToolResult = z.object({ text });
export type ToolResult = z.infer<typeof ToolResult>;

/** `tool.<name>.cancel`: the caller of the call `id` no longer wants its result. */
export const ToolCancel = z.object({ id: reply });
export type ToolCancel = z.infer<typeof ToolCancel>;

/** `tool.<name>.change`: the service `instance` has begun to offer the tool, offers it in another version, or has ended. */
export const ToolChange = z.object({ instance: name, available: z.boolean() });
export type ToolChange = z.infer<typeof ToolChange>;

/** The most characters of a tool's description. */
export const maxToolDescription = 4096;
/** The longest time that a call may take, ms. */
export const maxToolMs = 120_000;

/** The metadata of an endpoint that is a tool. The values of a service's metadata are texts. */
export const ToolMetadata = z.object({
  voxbus: z.literal("tool"),
  description: z.string().min(1).max(maxToolDescription),
  /** JSON Schema of the arguments, as JSON text of at most 16,384 bytes. */
  schema: z
    .string()
    .refine((text) => new TextEncoder().encode(text).byteLength <= 16_384, "must be at most 16,384 bytes"),
  timeoutMs: z.coerce.number(`must be a whole number of 1 to ${maxToolMs}`).int().min(1).max(maxToolMs).default(10_000),
  /** The groups that it is offered to. Absent: every group. */
  scope: z
    .string()
    .max(4096)
    .transform((names) => names.split(",").map((one) => one.trim()))
    .pipe(z.array(name).max(64))
    .optional(),
  /** `true`: a call that has begun is not cancelled. */
  finishes: z.enum(["true", "false"]).optional(),
});
export type ToolMetadata = z.infer<typeof ToolMetadata>;

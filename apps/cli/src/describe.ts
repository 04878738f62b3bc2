import { toJson } from "./json.ts";
import type { AnyMessage } from "./turn.ts";

const maxLength = 1000;
/** Fields that the line shows elsewhere, or that say nothing to a person. */
const silent: ReadonlySet<string> = new Set(["kind", "body", "text", "at", "session"]);
const plainWord = /^[\w:./+-]{1,64}$/;

/** Writes a message on one line: its text or type first, then its fields, its session last. At most 1000 characters. */
export function describeMessage(message: AnyMessage): string {
  const { body, text, session } = message;
  const lead = body === undefined ? text : body;
  const parts = [
    ...(lead === undefined ? [] : [isMap(lead) ? describeBody(lead) : describeValue(lead, true)]),
    ...describeFields(Object.entries(message).filter(([name]) => !silent.has(name))),
    ...(session === undefined ? [] : describeFields([["session", session]])),
  ];
  return cut(parts.join(" "));
}

/** Writes a time of day with milliseconds. */
export function describeTime(at: number): string {
  const date = new Date(at);
  const two = (value: number) => String(value).padStart(2, "0");
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${clock}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

function describeBody({ type, ...rest }: AnyMessage): string {
  const lead = type === undefined ? [] : [describeValue(type, false)];
  return [...lead, ...describeFields(Object.entries(rest))].join(" ");
}

/** Writes fields as `name=value`. */
export function describeFields(fields: readonly (readonly [string, unknown])[]): readonly string[] {
  return fields.map(([name, value]) => `${describeValue(name, false)}=${describeValue(value, false)}`);
}

function describeValue(value: unknown, quoted: boolean): string {
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
  if (typeof value === "string" && !quoted && plainWord.test(value)) return value;
  return toJson(value);
}

function isMap(value: unknown): value is AnyMessage {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array);
}

function cut(line: string): string {
  return line.length > maxLength ? `${line.slice(0, maxLength).toWellFormed()}…` : line;
}

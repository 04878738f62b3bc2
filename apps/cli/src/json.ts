/** Writes a value as JSON. Bytes are written as in docs/bus.md: `"hex f8 ff fe"`. */
export function toJson(value: unknown, indent?: number): string {
  return escapeControls(JSON.stringify(toPlain(value), undefined, indent) ?? "null");
}

/**
 * Replaces bytes anywhere in a message by their text. JSON.stringify alone would call the toJSON of Buffer first.
 */
function toPlain(value: unknown): unknown {
  if (value instanceof Uint8Array)
    return ["hex", ...Array.from(value, (byte) => byte.toString(16).padStart(2, "0"))].join(" ");
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value !== "object" || value === null) return typeof value === "bigint" ? String(value) : value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toPlain(inner)]));
}

/** Gives a text without what a terminal may obey. */
export function toText(text: string): string {
  return escapeControls(text.replaceAll(/[\p{Cc}]/gu, (mark) => JSON.stringify(mark).slice(1, -1)));
}

/** Replaces what a terminal may obey or show in another order: C1 controls, DEL, and marks of direction. */
function escapeControls(json: string): string {
  return json.replaceAll(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

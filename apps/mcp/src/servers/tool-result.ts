import { z } from "zod";

const maxLength = 16_384;
const note = " [cut: the result was too long]";

/** The result of a call as MCP has it. Anything that a later version adds is passed through. */
export const CallResult = z.looseObject({
  content: z.array(z.unknown()).max(10_000).nullish().catch(undefined),
  structuredContent: z.unknown().optional(),
  isError: z.unknown().optional(),
});

/** A tool's answer in text, and whether the tool says that it has failed. */
export interface ToolText {
  readonly text: string;
  readonly failed: boolean;
}

/**
 * Gives a result as text: texts joined by line breaks, and anything else named in brackets, because a voice cannot say it. At
 * most 16,384 characters. A result without content is its structured content as JSON, or "done".
 */
export function readResult({ content, structuredContent, isError }: z.infer<typeof CallResult>): ToolText {
  const parts = (content ?? []).map(readPart).filter((part) => part !== "");
  const structured =
    structuredContent === undefined || structuredContent === null ? "" : JSON.stringify(structuredContent);
  const text = parts.join("\n") || structured || (isError === true ? "failed" : "done");
  return { text: cut(text), failed: isError === true };
}

function cut(text: string): string {
  return text.length <= maxLength ? text : text.slice(0, maxLength - note.length) + note;
}

const Part = z.looseObject({
  type: z.string(),
  text: z.string().optional().catch(undefined),
  mimeType: z.string().optional().catch(undefined),
  uri: z.string().optional().catch(undefined),
  name: z.string().optional().catch(undefined),
  resource: z
    .looseObject({ text: z.string().optional(), uri: z.string().optional(), mimeType: z.string().optional() })
    .optional()
    .catch(undefined),
});

function readPart(given: unknown): string {
  const { data } = Part.safeParse(given);
  if (data === undefined) return "";
  const { type, text, mimeType, uri, name, resource } = data;
  if (type === "text") return text ?? "";
  if (type === "resource" && resource?.text !== undefined) return resource.text;
  const detail =
    type === "resource" ? (resource?.uri ?? resource?.mimeType) : type === "resource_link" ? (name ?? uri) : mimeType;
  return `[${[type, detail].filter(Boolean).join(" ").slice(0, 200)}]`;
}

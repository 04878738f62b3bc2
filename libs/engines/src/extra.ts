import { parseJson } from "@voxbus/protocol";
import { z } from "zod";
import type { EngineRole } from "./roles.ts";

/** Fields that are merged into each request to a server, such as `{"reasoning_effort":"none"}`. */
export type ExtraFields = Readonly<Record<string, unknown>>;

const maxLength = 16_384;

/** The fields of requests that are ours. */
const reserved: Readonly<Record<EngineRole, readonly string[]>> = {
  asr: ["file", "model", "language", "response_format", "stream"],
  llm: ["model", "messages", "stream", "stream_options", "tools", "functions", "user", "n"],
  tts: ["model", "input", "voice", "response_format", "stream_format", "speed"],
};

/** Tells what is wrong with extra fields of requests; undefined if nothing is. */
export function findExtraProblem(role: EngineRole, extra: unknown): string | undefined {
  if (typeof extra !== "object" || extra === null || Array.isArray(extra))
    return 'expected a JSON object, such as {"reasoning_effort":"none"}';
  if (JSON.stringify(extra).length > maxLength) return `expected at most ${maxLength} characters`;
  const taken = Object.keys(extra).filter((field) => reserved[role].includes(field));
  if (taken.length === 0) return undefined;
  return `the field "${taken[0]}" is reserved, as are ${reserved[role].filter((field) => field !== taken[0]).join(", ")}`;
}

/** The environment variable for extra fields of requests, as JSON. */
export function extraVariable(role: EngineRole) {
  return z.string().transform((text, { addIssue }): ExtraFields => {
    const extra = parseJson(text);
    const problem = findExtraProblem(role, extra);
    if (problem !== undefined) addIssue({ code: "custom", message: problem });
    return extra as ExtraFields;
  });
}

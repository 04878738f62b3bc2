import type { Finding, SourceFile } from "./sources.ts";

const arrow = /^export const (\w+)(?:: .*)? = (?:async )?(?:<|function\b|\w+ =>|\(\n|\([^()]*\)(?:: [^=]+)? =>)/gm;

/** Finds functions that are exported as constants. */
export function checkExports(sources: readonly SourceFile[]): readonly Finding[] {
  return sources.flatMap(({ file, text }) =>
    [...text.matchAll(arrow)].map(({ 1: name, index }) => ({
      file,
      line: text.slice(0, index).split("\n").length,
      problem: `${name} is an exported arrow function: write a function declaration`,
    })),
  );
}

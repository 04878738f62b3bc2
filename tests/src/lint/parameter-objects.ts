import { isTestFile, type Finding, type SourceFile } from "./sources.ts";
import { tokenize } from "./tokens.ts";

const mostMembers = 8;
/** The endings of types that carry the named parameters or the dependencies of a function. */
const parameterNames = /(?:Options|Deps|Context|Settings|Parameters|Dependencies)$/;
const declaration = /\b(?:interface (\w+)[^{;=]*|type (\w+)(?:<[^>=]*>)? = )\{/g;
const inline = /: (?=\{)/g;

/**
 * Finds parameter objects with more than eight members in the product's code: types that are named as such, and type
 * literals in a parameter list. The members of an extended type, and of types that a schema infers, do not count.
 */
export function checkParameterObjects(sources: readonly SourceFile[]): readonly Finding[] {
  return sources.flatMap(({ file, text }) => {
    if (isTestFile(file)) return [];
    const code = blankOut(text);
    const declared = [...code.matchAll(declaration)].map(({ 0: whole, 1: one, 2: two, index }) => ({
      name: one ?? two ?? "",
      at: index + whole.length - 1,
    }));
    const named = declared.filter(({ name }) => parameterNames.test(name));
    const literals = [...code.matchAll(inline)]
      .map(({ index }) => ({ name: "a parameter", at: index + 2 }))
      .filter(({ at }) => isInParameters(code, at));
    return [...named, ...literals].flatMap(({ name, at }) => {
      const members = countMembers(code, at);
      if (members <= mostMembers) return [];
      const line = code.slice(0, at).split("\n").length;
      return [{ file, line, problem: `${name} has ${members} members, at most ${mostMembers}: group them` }];
    });
  });
}

/** Keeps the code of a file and puts spaces where comments and strings are, so that lines stay the same. */
function blankOut(text: string): string {
  return tokenize(text)
    .map((token) => (token.kind === "code" ? token.text : token.whole.replaceAll(/[^\n]/g, " ")))
    .join("");
}

/** Counts the members of the type whose opening brace is at `at`; each ends with a semicolon. */
function countMembers(code: string, at: number): number {
  let depth = 0;
  let members = 0;
  for (const character of code.slice(at)) {
    if ("([{".includes(character)) depth += 1;
    if (")]}".includes(character)) depth -= 1;
    if (character === ";" && depth === 1) members += 1;
    if (depth === 0) return members;
  }
  return members;
}

/** Returns true if the innermost open bracket at `at` is a parenthesis. */
function isInParameters(code: string, at: number): boolean {
  let depth = 0;
  for (let i = at - 1; i >= 0; i -= 1) {
    if (")]}".includes(code[i]!)) depth += 1;
    if (!"([{".includes(code[i]!)) continue;
    if (depth === 0) return code[i] === "(";
    depth -= 1;
  }
  return false;
}

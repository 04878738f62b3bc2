/** A comment or a string of TypeScript; everything else is code. */
export interface Token {
  readonly kind: "docstring" | "comment" | "string" | "code";
  /** The text without its delimiters; of code, the code itself. */
  readonly text: string;
  /** As it stands in the source. */
  readonly whole: string;
  /** The line on which it begins, from 1. */
  readonly line: number;
}

const patterns = [
  ["docstring", /\/\*\*(?!\/)([^]*?)\*\//y],
  ["comment", /\/\*([^]*?)\*\//y],
  ["comment", /\/\/(.*)/y],
  ["string", /"((?:[^"\\\n]|\\.)*)"/y],
  ["string", /'((?:[^'\\\n]|\\.)*)'/y],
  ["string", /`((?:[^`\\$]|\\[^]|\$(?!\{)|\$\{(?:[^{}`]|`[^`]*`|\{[^{}]*\})*\})*)`/y],
] as const;
/** A slash behind one of these begins a regular expression, not a division. */
const beforeRegex = /(?:^|[(,=:[!&|?{};>+]|\b(?:return|typeof|case|of|in))\s*$/;
const regex = /\/(?![*/])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;

/** Splits TypeScript into comments, strings and the code between. Regular expressions count as code. */
export function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let line = 1;
  let code = "";
  const push = (kind: Token["kind"], text: string, whole: string) => {
    if (text !== "" || kind !== "code") tokens.push({ kind, text, whole, line });
    line += whole.split("\n").length - 1;
  };
  const flush = () => {
    push("code", code, code);
    code = "";
  };
  for (let at = 0; at < source.length;) {
    const found = "/\"'`".includes(source[at]!) ? match(source, at, code) : undefined;
    if (found?.kind === undefined) {
      code += found?.whole ?? source[at]!;
      at += found?.whole.length ?? 1;
      continue;
    }
    flush();
    push(found.kind, found.text, found.whole);
    at += found.whole.length;
  }
  flush();
  return tokens;
}

interface Match {
  readonly kind: Token["kind"] | undefined;
  readonly text: string;
  readonly whole: string;
}

function match(source: string, at: number, before: string): Match | undefined {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const found = pattern.exec(source);
    if (found) return { kind, text: found[1] ?? "", whole: found[0] };
  }
  if (!beforeRegex.test(before)) return undefined;
  regex.lastIndex = at;
  const found = regex.exec(source);
  return found ? { kind: undefined, text: "", whole: found[0] } : undefined;
}

import type { Finding, SourceFile } from "./sources.ts";
import { tokenize, type Token } from "./tokens.ts";

/** Phrases that read as translated; each row says how to replace it. */
const phrases: readonly { readonly pattern: RegExp; readonly advice: string }[] = [
  { pattern: /\bis[\s*]+none\b/gi, advice: "say what is missing, or `is not a …`" },
  { pattern: /\bof[\s*]+which\b/gi, advice: "begin a new sentence" },
  { pattern: /\boutright\b/gi, advice: "leave it out" },
  { pattern: /\bwhoever\b/gi, advice: "name the program or the reader" },
  { pattern: /\bnobody\b/gi, advice: "use `no one`, or name who does not" },
  { pattern: /\bso[\s*]+(?:many|long)\b/gi, advice: "name the number, or use `as … as`" },
];

const docstringStart = /^[\s*]*(What|Whoever|Whether)\b/;
const logCall = /\blog\??\.(?:trace|debug|info|warn|error|fatal)\($/;
/** Words that make a clause of a log message: `device connected` has none. */
const finite =
  /\b(?:is|are|was|were|has|have|had|does|do|did|can|cannot|could|will|would|shall|should|must|may|might|it|its|they|there|who|which|that|what)\b/;

/** Finds docstrings that begin with a question word, log messages that are sentences, and the phrases. */
export function checkDialect(sources: readonly SourceFile[]): readonly Finding[] {
  return sources.flatMap(({ file, text }) => {
    const found = file.endsWith(".md") ? checkProse(text, 1) : checkCode(tokenize(text));
    return found.toSorted((a, b) => a.line - b.line).map((finding) => ({ file, ...finding }));
  });
}

type Place = Omit<Finding, "file">;

function checkCode(tokens: readonly Token[]): readonly Place[] {
  const isProse = ({ kind, text }: Token) => kind !== "code" && (kind !== "string" || text.includes(" "));
  return [
    ...tokens.filter(isProse).flatMap(({ text, line }) => findPhrases(text, line)),
    ...tokens.flatMap(({ kind, text, line }) => {
      const [, word] = (kind === "docstring" ? docstringStart.exec(text) : undefined) ?? [];
      return word === undefined
        ? []
        : [{ line, problem: `docstring begins with "${word}": begin with a verb or a noun` }];
    }),
    ...listLogMessages(tokens).flatMap(({ text, line }) => {
      const problem = judgeLogMessage(text);
      return problem === undefined
        ? []
        : [{ line, problem: `log message "${text}" ${problem}: write \`noun verb(past)\`` }];
    }),
  ];
}

function checkProse(text: string, line: number): readonly Place[] {
  // Code keeps its lines, so that the numbers stay right.
  const blank = (code: string) => code.replaceAll(/[^\n]/g, " ");
  return findPhrases(text.replaceAll(/^```[^]*?^```$/gm, blank).replaceAll(/`[^`\n]*`/g, blank), line);
}

function findPhrases(text: string, line: number): readonly Place[] {
  return phrases.flatMap(({ pattern, advice }) =>
    [...text.matchAll(pattern)].map(({ 0: phrase, index }) => ({
      line: line + text.slice(0, index).split("\n").length - 1,
      problem: `"${phrase.replaceAll(/[\s*]+/g, " ")}": ${advice}`,
    })),
  );
}

/** Says how a log message resembles a sentence, or returns undefined. */
function judgeLogMessage(message: string): string | undefined {
  if (/^(?:[A-Z][a-z]|an?\b|the\b)/.test(message)) return "begins like a sentence";
  if (/[.!;]\s*$|[.;] /.test(message)) return "has the punctuation of a sentence";
  if (message.includes("${")) return "holds a value, which belongs in a field";
  const [word] = finite.exec(message) ?? [];
  return word === undefined ? undefined : `has a clause with "${word}"`;
}

/** Lists the strings that are arguments of a call of a log. */
function listLogMessages(tokens: readonly Token[]): readonly Token[] {
  const messages: Token[] = [];
  // One entry for each open bracket: whether it opens the arguments of a log call.
  const open: boolean[] = [];
  let before = "";
  for (const token of tokens) {
    if (token.kind === "string" && open.at(-1)) messages.push(token);
    if (token.kind !== "code") continue;
    for (const character of token.text) {
      before = (before + character).slice(-30);
      if ("([{".includes(character)) open.push(logCall.test(before));
      if (")]}".includes(character)) open.pop();
    }
  }
  return messages;
}

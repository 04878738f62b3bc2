import { isMap } from "@voxbus/subscriber";
import { parseJson } from "@voxbus/protocol";
import type { CallPart } from "./openai-deltas.ts";
import { bareName } from "./tool-names.ts";

/** Marks between the calls of a notation, and inside of one. */
const between = /<\|tool_call_end\|>|\[TOOL_CALLS\]|<\/?tool_call>/i;
const within = /<\|[^<>|]{0,40}\|>|\[(?:CALL_ID|ARGS)\]/g;

// A model may repeat a piece of a call until its answer ends. So each pattern takes time in proportion to the text: what could
// begin anywhere begins at a mark or a word, and what repeats has a limit.
const strings = `"(?:[^"\\\\]|\\\\.)*"|'(?:[^'\\\\]|\\\\.)*'`;
const pythonCall = new RegExp(`(?<![\\w.])([\\w.]{1,128})\\(((?:[^()"']|${strings}){0,1000})\\)`, "g");
const pythonArgument = new RegExp(`(?<!\\w)(\\w{1,128})\\s{0,9}=\\s*(${strings}|[^,"']+)`, "g");

/** Parses the body of a notation of calls, which models write in many forms. Gives no calls if it is in none of them. */
export function parseCalls(body: string): readonly CallPart[] {
  // A mark in front of the names of elements, as in `<|DSML|invoke`.
  const text = body.replaceAll(/<(\/?)\|\w+\|(?=\w)/g, "<$1").trim();
  const json = parseJson(text);
  if (json !== undefined) return readJsonCalls(json);
  const [header = "", ...messages] = text.split("<|message|>");
  const [, channel] = /\bto=([\w.:-]+)/.exec(header) ?? [];
  if (channel !== undefined && messages.length > 0)
    return [makeCall(channel, readParameters(messages.join("").replaceAll(within, "")))];
  const elements = [
    ...findElements(text, /<function="?([^"<>]+)"?>/g, "</function>"),
    ...findElements(text, /<invoke name="?([^"<>]+)"?>/g, "</invoke>"),
  ];
  if (elements.length > 0) return elements.map(([name, args]) => makeCall(name, readParameters(args)));
  const calls = text.split(between).flatMap((part) => parseOne(part.replaceAll(within, " ").trim()));
  return calls.length > 0 ? calls : parsePython(text);
}

/** Parses one call: JSON, lines of JSON, or a name with its arguments, which may be in a code fence. */
function parseOne(text: string): readonly CallPart[] {
  const lines = text.split(/[\n;](?=\s{0,99}\{)/).map(parseJson);
  if (!lines.includes(undefined)) return lines.flatMap(readJsonCalls);
  const [, name, rest = ""] =
    /^(?:function\s{1,9})?([\w.:-]+)(?:\s{1,9}\w+(?=\s{0,9}\{))?\s{0,99}(?:```\w*)?\s{0,99}([{<][^]*)?$/.exec(text) ??
    [];
  if (name === undefined) return [];
  return [makeCall(name, rest === "" ? {} : readParameters(rest.replace(/```$/, "")))];
}

/** Reads calls in parsed JSON: one, a list, or wrapped as in an answer of the API. */
export function readJsonCalls(json: unknown): readonly CallPart[] {
  if (Array.isArray(json)) return json.flatMap(readJsonCalls);
  if (!isMap(json)) return [];
  const { tool_calls: list, function: called, tool_name: other } = json;
  if (Array.isArray(list)) return readJsonCalls(list);
  if (isMap(called)) return readJsonCalls(called);
  const { name = called ?? other, arguments: args, parameters } = json;
  const given = args ?? parameters ?? {};
  if (typeof name !== "string" || (args === undefined && parameters === undefined)) return [];
  return [{ name: bareName(name), args: typeof given === "string" ? given : JSON.stringify(given) }];
}

/** Reads arguments that are JSON, or written as elements. */
function readParameters(text: string): unknown {
  const json = parseJson(text.trim());
  if (json !== undefined) return json;
  const pairs = [
    ...findElements(text, /<parameter(?:=| name=)"?([^"<>]+)(?:"[^<>]*)?>/g, "</parameter>"),
    ...findElements(text, /<arg_key>([^<>]*)<\/arg_key>\s*<arg_value>/g, "</arg_value>"),
  ];
  return Object.fromEntries(pairs.map(([key, value]) => [key.trim(), parseJson(value.trim()) ?? value.trim()]));
}

/** Finds elements from an opening, whose first group is their name, to the next close. Gives their names and contents. */
function findElements(
  text: string,
  open: RegExp,
  close: string,
): readonly (readonly [name: string, content: string])[] {
  const found: [string, string][] = [];
  for (let begun = open.exec(text); begun !== null; begun = open.exec(text)) {
    const end = text.indexOf(close, open.lastIndex);
    if (end === -1) break;
    found.push([begun[1] ?? "", text.slice(open.lastIndex, end)]);
    open.lastIndex = end + close.length;
  }
  return found;
}

/** Parses calls in the form of Python: `name(key=value)`. */
function parsePython(text: string): readonly CallPart[] {
  const calls = text.matchAll(pythonCall);
  return [...calls].map(([, name = "", list = ""]) => {
    const pairs = list.matchAll(pythonArgument);
    return makeCall(
      name,
      Object.fromEntries([...pairs].map(([, key = "", value = ""]) => [key, readPython(value.trim())])),
    );
  });
}

function readPython(value: string): unknown {
  const words: Readonly<Record<string, unknown>> = { True: true, False: false, None: null };
  if (Object.hasOwn(words, value)) return words[value];
  return parseJson(value) ?? value.replaceAll(/^'|'$/g, "");
}

function makeCall(name: string, args: unknown): CallPart {
  return { name: bareName(name), args: JSON.stringify(args) };
}

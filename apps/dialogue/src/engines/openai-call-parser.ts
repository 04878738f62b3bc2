import { isMap } from "@voxbus/subscriber";
import { parseJson } from "@voxbus/protocol";
import type { CallPart } from "./openai-deltas.ts";
import { bareName } from "./tool-names.ts";

/** Marks between the calls of a notation, and inside of one. */
const between = /<\|tool_call_end\|>|\[TOOL_CALLS\]|<\/?tool_call>/i;
const within = /<\|[^<>|]{0,40}\|>|\[(?:CALL_ID|ARGS)\]/g;

const strings = `"(?:[^"\\\\]|\\\\.)*"|'(?:[^'\\\\]|\\\\.)*'`;
const pythonCall = new RegExp(`([\\w.]+)\\(((?:[^()"']|${strings})*)\\)`, "g");
const pythonArgument = new RegExp(`(\\w+)\\s*=\\s*(${strings}|[^,"']+)`, "g");

/** Parses the body of a notation of calls, which models write in many forms. Gives no calls if it is in none of them. */
export function parseCalls(body: string): readonly CallPart[] {
  // A mark in front of the names of elements, as in `<|DSML|invoke`.
  const text = body.replaceAll(/<(\/?)\|\w+\|(?=\w)/g, "<$1").trim();
  const json = parseJson(text);
  if (json !== undefined) return readJsonCalls(json);
  const [, channel, message = ""] = /\bto=([\w.:-]+)[^]*?<\|message\|>([^]*)/.exec(text) ?? [];
  if (channel !== undefined) return [makeCall(channel, readParameters(message.replaceAll(within, "")))];
  const elements = [...text.matchAll(/<(?:function=|invoke name=)"?([^">]+)"?>([^]*?)<\/(?:function|invoke)>/g)];
  if (elements.length > 0) return elements.map(([, name = "", args = ""]) => makeCall(name, readParameters(args)));
  const calls = text.split(between).flatMap((part) => parseOne(part.replaceAll(within, " ").trim()));
  return calls.length > 0 ? calls : parsePython(text);
}

/** Parses one call: JSON, lines of JSON, or a name with its arguments, which may be in a code fence. */
function parseOne(text: string): readonly CallPart[] {
  const lines = text.split(/[\n;](?=\s*\{)/).map(parseJson);
  if (!lines.includes(undefined)) return lines.flatMap(readJsonCalls);
  const [, name, rest = ""] =
    /^(?:function\s+)?([\w.:-]+)(?:\s+\w+(?=\s*\{))?\s*(?:```\w*)?\s*([{<][^]*)?$/.exec(text) ?? [];
  if (name === undefined) return [];
  return [makeCall(name, rest === "" ? {} : readParameters(rest.replace(/\s*```$/, "")))];
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
    ...text.matchAll(/<parameter(?:=| name=)"?([^">]+)"?[^>]*>([^]*?)<\/parameter>/g),
    ...text.matchAll(/<arg_key>([^]*?)<\/arg_key>\s*<arg_value>([^]*?)<\/arg_value>/g),
  ];
  return Object.fromEntries(
    pairs.map(([, key = "", value = ""]) => [key.trim(), parseJson(value.trim()) ?? value.trim()]),
  );
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

import { callNotations, dialects, type ChatRequest, type Dialect } from "@voxbus/testing";
import type { FieldDevice } from "./device.ts";
import type { FieldCase, FieldKind, Outcome } from "./field-case.ts";
import { volumeTool } from "./mcp.ts";
import { both, check, saysExactly } from "./outcomes.ts";
import type { Stage } from "./stage.ts";

const volume = "self_audio_speaker_set_volume";

/** Calls the tool once, then says that it is done. */
function callThenSay(name = volume, args = '{"volume":50}', before = "Wait. ") {
  return ({ messages }: ChatRequest) => (messages.at(-1)?.role === "tool" ? ["Done."] : [before, { name, args }]);
}

const calls = (device: FieldDevice): Outcome => {
  const made = device.calls.map(([name, args]) => `${name} ${JSON.stringify(args)}`);
  const held = device.calls.length === 1 && device.calls[0]?.[0] === volumeTool.name;
  return check(
    `called ${made.join(", ") || "nothing"}`,
    held && JSON.stringify(device.calls[0]?.[1]) === '{"volume":50}',
  );
};

/** Asks once, and judges: the tool was called once with the right arguments, and only words were spoken. */
async function callsOnce(stage: Stage, ...said: readonly string[]): Promise<Outcome> {
  const device = await stage.connect({ mcp: {} });
  const turn = await device.ask("set the volume to fifty");
  return both(calls(device), saysExactly(turn, ...said));
}

/** A server or model whose calls have an odd form. */
function form(odd: string, dialect: Partial<Dialect>, why: string, quick = false): FieldCase {
  return {
    odd,
    right: "the tool is called once, and only words are spoken",
    why,
    quick,
    async run(stage) {
      stage.server.dialect = { ...dialects.openai, ...dialect };
      stage.server.script.chat = callThenSay();
      return callsOnce(stage, "Wait.", "Done.");
    },
  };
}

/** A model that writes its calls into its text. */
const inText = (notation: keyof typeof callNotations, why: string, quick = false) =>
  form(`a call as text, as ${notation}`, { calls: notation, textPiece: 4 }, why, quick);

/** A model that writes odd names or arguments. */
function slip(odd: string, name: string, args: string, why: string): FieldCase {
  return {
    odd,
    right: "the tool is called once, as it was meant",
    why,
    async run(stage) {
      stage.server.dialect = { ...dialects.openai, args: "whole" };
      stage.server.script.chat = callThenSay(name, args);
      return callsOnce(stage, "Wait.", "Done.");
    },
  };
}

const fields: readonly FieldCase[] = [
  form("calls without `index`", { index: "none", args: "whole" }, "Gemini's compatible API and early Ollama do so."),
  form("all calls have index 0", { index: "zero", args: "whole" }, "Ollama does so."),
  form("index null, and an id that is new in each piece", { index: "null", id: "fresh" }, "Mistral and vLLM do so."),
  form("an empty id after the first piece", { id: "then empty" }, "DashScope does so."),
  form("calls without an id", { id: "none" }, "Small gateways do so."),
  form("the name is in each piece", { repeatsName: true }, "Gateways that translate other APIs do so."),
  form("arguments as an object", { args: "object" }, "Gateways to Ollama's own API do so."),
  form("arguments that are JSON of JSON", { args: "double" }, "Models that escape twice do so."),
  form("the old field `function_call`", { calls: "old field" }, "Older servers do so."),
  form("`finish_reason` is stop although a tool is called", { finish: "stop" }, "Gemini and Ollama do so."),
]; // prettier-ignore

const texts: readonly FieldCase[] = [
  inText("hermes", "Qwen's and Hermes' models do so without a parser."),
  inText("hermes, unclosed", "A model stops before its last tag."),
  inText("qwen coder", "Qwen's coders do so without a parser."),
  inText("glm", "GLM's models do so without a parser."),
  inText("llama", "Llama 3.1 does so without a parser."),
  inText("llama, tagged", "Llama 3.1 does so where marks are shown."),
  inText("llama 3.2", "Functionary and small Llamas do so."),
  inText("mistral", "Mistral's models do so where marks are shown."),
  inText("fenced", "Models that answer in Markdown do so."),
  inText("deepseek", "DeepSeek V3 and R1 do so without a parser.", true),
  inText("deepseek, newer", "DeepSeek V3.1 does so without a parser."),
  inText("deepseek, in ASCII", "Servers replace the bars and blanks of DeepSeek's marks."),
  inText("deepseek 3.2", "DeepSeek V3.2 does so without a parser."),
  inText("kimi", "Kimi K2 does so without a parser."),
  inText("mistral, newer", "Mistral's models since version 11 of their tokenizer do so."),
  inText("minimax", "MiniMax's models do so without a parser."),
  inText("gpt-oss", "gpt-oss does so where channels are shown."),
  inText("granite", "Granite and Phi do so without a parser."),
  inText("nemotron", "Nemotron does so without a parser."),
  inText("command", "Command R does so without a parser."),
  inText("internlm", "InternLM does so without a parser."),
  inText("python", "Llama 4 does so without a parser."),
  inText("python, marked", "LFM 2 does so without a parser."),
  inText("python, fenced", "Gemma does so: it has no notation of its own."),
];

const slips: readonly FieldCase[] = [
  slip("the tool's own name, with dots", volumeTool.name, '{"volume":50}', "Models repeat names from descriptions."),
  slip("a name behind `functions.`", `functions.${volume}`, '{"volume":50}', "Kimi and gpt-oss name tools so."),
  slip("a name behind `default_api.`", `default_api.${volume}`, '{"volume":50}', "Gemini names tools so."),
  slip("a number as text", volume, '{"volume":"50"}', "Small models quote numbers, and firmware refuses a text as a number."),
  slip("a number with a fraction of zero", volume, '{"volume":50.0}', "Gemini writes integers so."),
  slip("arguments in a code fence", volume, '```json\n{"volume":50}\n```', "Models that answer in Markdown do so."),
  slip("one brace too much behind the arguments", volume, '{"volume":50}}', "Streaming parsers of servers repeat the last brace."),
]; // prettier-ignore

/** A server that wants a field of its call back in the next request, and refuses the request without it. */
function echo(odd: string, field: "extra_content" | "reasoning_content", why: string): FieldCase {
  const value = field === "extra_content" ? { google: { thought_signature: "EjQKMg==" } } : "He wants it louder.";
  return {
    odd,
    right: "the field goes back with the call, and the answer is spoken",
    why,
    async run(stage) {
      const chunk = (delta: object) => ({ raw: `data: ${JSON.stringify({ choices: [{ index: 0, delta }] })}\n\n` });
      const call = { id: "c1", type: "function", function: { name: volume, arguments: '{"volume":50}' } };
      stage.server.script.chat = ({ messages }) => {
        if (messages.at(-1)?.role !== "tool")
          return field === "extra_content"
            ? [chunk({ tool_calls: [{ ...call, extra_content: value }] })]
            : [chunk({ [field]: value }), chunk({ tool_calls: [call] })];
        const isBack = JSON.stringify(messages).includes(JSON.stringify({ [field]: value }).slice(1, -1));
        return isBack ? ["Done."] : { status: 400, body: { error: { message: `${field} is missing` } } };
      };
      return callsOnce(stage, "Done.");
    },
  };
}

const others: readonly FieldCase[] = [
  echo("a call that must come back with its `thought_signature`", "extra_content", "Gemini 3 refuses the second round otherwise."),
  echo("thoughts that must come back with the call", "reasoning_content", "DeepSeek 3.2 and Kimi's thinking models refuse the second round otherwise."),
  {
    odd: "a model that calls the same tool in every round",
    right: "it ends in words after a few rounds",
    why: "Small models do not see that the tool has worked.",
    async run(stage) {
      stage.server.script.chat = ({ tools }) => (tools ? [{ name: volume, args: '{"volume":50}' }] : ["It is done."]);
      const device = await stage.connect({ mcp: {} });
      const turn = await device.ask("set the volume to fifty");
      return both(saysExactly(turn, "It is done."), check(`${device.calls.length} calls`, device.calls.length <= 5));
    },
  },
  {
    odd: "a call of a tool that does not exist",
    right: "the model is told so, and answers in words",
    why: "Models invent tools.",
    async run(stage) {
      stage.server.script.chat = ({ messages }) =>
        messages.at(-1)?.role === "tool" ? [`${messages.at(-1)?.content}`] : [{ name: "make_coffee", args: "{}" }];
      const device = await stage.connect({ mcp: {} });
      const turn = await device.ask("make coffee");
      return both(
        saysExactly(turn, 'Error: there is no function "make_coffee".'),
        check(`${device.calls.length} calls`, device.calls.length === 0),
      );
    },
  },
]; // prettier-ignore

/** Tool calls as models and their servers write them. */
export const callCases: FieldKind = { title: "Tool calls", cases: [...fields, ...texts, ...slips, ...others] };

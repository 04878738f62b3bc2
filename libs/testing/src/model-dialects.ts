/** A part of a request that a server refuses, with the status that it answers then. */
export interface Refused {
  readonly what: "tools" | "stream_options" | "system" | "alternation" | "user";
  readonly status: number;
}

/** The liberties that servers take with OpenAI's chat completions, one switch each. */
export interface Dialect {
  /** The arguments of a call: text in two pieces, whole text, text that is JSON of JSON text, or an object. */
  readonly args: "split" | "whole" | "double" | "object";
  /** The `index` of calls. */
  readonly index: "each" | "none" | "null" | "zero";
  /** The `id` of a call: in its first piece only, then empty, new in each piece, nowhere, or the same for all calls. */
  readonly id: "first" | "then empty" | "fresh" | "none" | "same";
  /** Each piece of a call repeats its name. */
  readonly repeatsName: boolean;
  /** The form of calls: the field `tool_calls`, the old field `function_call`, or text in a model's own notation. */
  readonly calls: "field" | "old field" | keyof typeof callNotations;
  /** The length of the pieces that calls in text come in, characters. */
  readonly textPiece: number;
  /** The form of `content`: text, or a list of parts. */
  readonly content: "text" | "parts";
  /** The field of the thoughts before the answer, if the model sends any. */
  readonly thoughts: "none" | "reasoning_content" | "reasoning" | "thinking" | "part" | "details";
  /** The chunks that say the role. */
  readonly role: "first" | "each" | "none";
  /** Chunks without a choice, or with an empty or null delta, before and after the answer. */
  readonly emptyChunks: boolean;
  /** The last chunk's `finish_reason`; undefined: there is no such chunk. */
  readonly finish: string | null | undefined;
  /** The last chunk repeats the whole answer as `message`. */
  readonly repeatsAnswer: boolean;
  readonly newline: "\n" | "\r\n" | "\r";
  /** The text before an event's JSON. */
  readonly prefix: "data: " | "data:" | "";
  /** Comments and other fields stand between the events. */
  readonly comments: boolean;
  /** The stream ends with `[DONE]`. */
  readonly sendsDone: boolean;
  /** The answer is one JSON object, although a stream was asked for. */
  readonly answersWhole: boolean;
  readonly refuses: readonly Refused[];
}

const openai: Dialect = {
  args: "split",
  index: "each",
  id: "first",
  repeatsName: false,
  calls: "field",
  textPiece: 3,
  content: "text",
  thoughts: "none",
  role: "first",
  emptyChunks: false,
  finish: "stop",
  repeatsAnswer: false,
  newline: "\n",
  prefix: "data: ",
  comments: false,
  sendsDone: true,
  answersWhole: false,
  refuses: [],
};

/** The dialects of known servers, as their users describe them. */
export const dialects = {
  openai,
  ollama: { ...openai, args: "whole", index: "zero", role: "each", thoughts: "reasoning" },
  "ollama, early": { ...openai, args: "whole", index: "none", role: "each" },
  "ollama, a model without tools": { ...openai, refuses: [{ what: "tools", status: 400 }] },
  vllm: { ...openai, id: "fresh", thoughts: "reasoning_content", emptyChunks: true },
  "vllm without a parser": { ...openai, calls: "hermes", refuses: [{ what: "tools", status: 400 }] },
  "llama.cpp": { ...openai, finish: "tool", thoughts: "reasoning_content" },
  "llama.cpp without templates": {
    ...openai,
    refuses: [{ what: "tools", status: 500 }, { what: "alternation", status: 500 }], // prettier-ignore
  },
  "lm studio": { ...openai, calls: "hermes", comments: true },
  qwen: { ...openai, id: "then empty", emptyChunks: true, thoughts: "reasoning_content" },
  "a gateway to gemini": { ...openai, args: "whole", index: "none", finish: "STOP", sendsDone: false },
  "a gateway to mistral": { ...openai, args: "whole", index: "null", content: "parts", thoughts: "part" },
  "a gateway that does not stream": { ...openai, answersWhole: true },
  "a gateway on windows": { ...openai, newline: "\r\n", prefix: "data:", comments: true, finish: undefined },
} as const satisfies Readonly<Record<string, Dialect>>;

/** A call of a tool: its name, and its arguments as JSON text. */
export interface Call {
  readonly name: string;
  readonly args: string;
}

/** The notations in which models write calls into their text. */
export const callNotations = {
  hermes: ({ name, args }: Call) => `<tool_call>\n{"name": "${name}", "arguments": ${args}}\n</tool_call>`,
  "hermes, unclosed": ({ name, args }: Call) => `<tool_call>{"name": "${name}", "arguments": ${args}}`,
  glm: ({ name, args }: Call) =>
    `<tool_call>${name}\n${writeEntries(args, (key, value) => `<arg_key>${key}</arg_key>\n<arg_value>${value}</arg_value>`)}\n</tool_call>`,
  "qwen coder": ({ name, args }: Call) =>
    `<tool_call>\n<function=${name}>\n${writeEntries(args, (key, value) => `<parameter=${key}>\n${value}\n</parameter>`)}\n</function>\n</tool_call>`,
  llama: ({ name, args }: Call) => `{"name": "${name}", "parameters": ${args}}`,
  "llama, tagged": ({ name, args }: Call) => `<|python_tag|>{"name": "${name}", "parameters": ${args}}`,
  "llama 3.2": ({ name, args }: Call) => `<function=${name}>${args}</function>`,
  mistral: ({ name, args }: Call) => `[TOOL_CALLS][{"name": "${name}", "arguments": ${args}}]`,
  "mistral, newer": ({ name, args }: Call) => `[TOOL_CALLS]${name}[CALL_ID]a1b2c3d4e[ARGS]${args}`,
  fenced: ({ name, args }: Call) => `\`\`\`json\n{"name": "${name}", "arguments": ${args}}\n\`\`\``,
  deepseek: ({ name, args }: Call) =>
    `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>${name}\n\`\`\`json\n${args}\n\`\`\`<｜tool▁call▁end｜><｜tool▁calls▁end｜>`,
  "deepseek, newer": ({ name, args }: Call) =>
    `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>${name}<｜tool▁sep｜>${args}<｜tool▁call▁end｜><｜tool▁calls▁end｜>`,
  "deepseek, in ASCII": ({ name, args }: Call) =>
    `<|tool_calls_begin|><|tool_call_begin|>${name}<|tool_sep|>${args}<|tool_call_end|>`,
  "deepseek 3.2": ({ name, args }: Call) =>
    `<｜DSML｜function_calls>\n<｜DSML｜invoke name="${name}">\n${writeEntries(args, (key, value) => `<｜DSML｜parameter name="${key}" string="false">${value}</｜DSML｜parameter>`)}\n</｜DSML｜invoke>\n</｜DSML｜function_calls>`,
  kimi: ({ name, args }: Call) =>
    `<|tool_calls_section_begin|><|tool_call_begin|>functions.${name}:0<|tool_call_argument_begin|>${args}<|tool_call_end|><|tool_calls_section_end|>`,
  minimax: ({ name, args }: Call) =>
    `<minimax:tool_call>\n<invoke name="${name}">\n${writeEntries(args, (key, value) => `<parameter name="${key}">${value}</parameter>`)}\n</invoke>\n</minimax:tool_call>`,
  "gpt-oss": ({ name, args }: Call) =>
    `<|start|>assistant<|channel|>commentary to=functions.${name} <|constrain|>json<|message|>${args}<|call|>`,
  granite: ({ name, args }: Call) => `<|tool_call|>[{"name": "${name}", "arguments": ${args}}]`,
  nemotron: ({ name, args }: Call) => `<TOOLCALL>[{"name": "${name}", "arguments": ${args}}]</TOOLCALL>`,
  command: ({ name, args }: Call) =>
    `<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "${name}", "parameters": ${args}}]<|END_ACTION|>`,
  internlm: ({ name, args }: Call) =>
    `<|action_start|><|plugin|>\n{"name": "${name}", "parameters": ${args}}<|action_end|>`,
  python: ({ name, args }: Call) => `[${writePython(name, args)}]`,
  "python, marked": ({ name, args }: Call) => `<|tool_call_start|>[${writePython(name, args)}]<|tool_call_end|>`,
  "python, fenced": ({ name, args }: Call) => `\`\`\`tool_code\nprint(default_api.${writePython(name, args)})\n\`\`\``,
} as const;

function writeEntries(args: string, write: (key: string, value: string) => string): string {
  const entries = Object.entries(JSON.parse(args) as Readonly<Record<string, unknown>>);
  return entries
    .map(([key, value]) => write(key, typeof value === "string" ? value : JSON.stringify(value)))
    .join("\n");
}

function writePython(name: string, args: string): string {
  const entries = Object.entries(JSON.parse(args) as Readonly<Record<string, unknown>>);
  return `${name}(${entries.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(", ")})`;
}

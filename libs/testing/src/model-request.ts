/** The field of a request that is wrong, in the words of the error that a strict server answers. */
class RequestProblem extends Error {}

type Fields = Readonly<Record<string, unknown>>;

const functionName = /^[A-Za-z0-9_-]{1,64}$/;
const schemaTypes = ["object", "array", "string", "number", "integer", "boolean", "null"];
const chatFields = [
  "model",
  "messages",
  "tools",
  "tool_choice",
  "stream",
  "stream_options",
  "temperature",
  "top_p",
  "max_tokens",
  "reasoning_effort",
  "user",
];
const speechFields = ["model", "input", "voice", "response_format", "speed"];
const soundFormats = ["mp3", "opus", "aac", "flac", "wav", "pcm"];

/** Checks a body of `/chat/completions` as strictly as OpenAI's published schema. Gives the first problem. */
export function checkChat(body: unknown): string | undefined {
  return findProblem(() => {
    const request = readObject(body, "body");
    readFields(request, chatFields);
    readText(request["model"], "model");
    readMessages(readList(request["messages"], "messages"));
    if (request["user"] !== undefined) readText(request["user"], "user");
    if (request["tools"] !== undefined) readTools(readList(request["tools"], "tools"));
    if (request["stream"] !== undefined && typeof request["stream"] !== "boolean") refuse("stream", "is not a boolean");
    if (request["stream_options"] === undefined) return;
    readFields(readObject(request["stream_options"], "stream_options"), ["include_usage"]);
    if (request["stream"] !== true) refuse("stream_options", "is only allowed with stream");
  });
}

/** Checks a body of `/audio/speech`. Gives the first problem. */
export function checkSpeech(body: unknown): string | undefined {
  return findProblem(() => {
    const request = readObject(body, "body");
    readFields(request, speechFields);
    readText(request["model"], "model");
    readText(request["voice"], "voice");
    if (readText(request["input"], "input").length > 4096) refuse("input", "has more than 4096 characters");
    const { response_format: format = "mp3", speed = 1 } = request;
    if (typeof format !== "string" || !soundFormats.includes(format)) refuse("response_format", "is unknown");
    if (typeof speed !== "number" || speed < 0.25 || speed > 4) refuse("speed", "is not between 0.25 and 4");
  });
}

/** Checks the form of `/audio/transcriptions`. Gives the first problem. */
export function checkTranscription(form: { readonly model: unknown; readonly language: unknown }): string | undefined {
  return findProblem(() => {
    readText(form.model, "model");
    const isLanguage = form.language === null || /^[a-z]{2,3}$/.test(readString(form.language, "language"));
    if (!isLanguage) refuse("language", "is not an ISO 639 code");
  });
}

/**
 * Checks the order of a chat's messages as the strictest servers do: one system message, at the beginning; users and
 * assistants in turn; an id for one call only; a question or a result at the end. Gives the first problem.
 */
export function checkOrder({ messages }: { readonly messages: readonly object[] }): string | undefined {
  return findProblem(() => {
    const ids = new Set<string>();
    let before = "";
    for (const [i, value] of messages.entries()) {
      const { role, tool_calls: calls = [] } = value as { role: string; tool_calls?: readonly { id: string }[] };
      const at = `messages[${i}]`;
      if ((role === "system") !== (i === 0)) refuse(`${at}.role`, "is not at its place");
      if (role === "user" && before === "user") refuse(at, "is a second user message in a row");
      if (role === "assistant" && before === "assistant") refuse(at, "is a second assistant message in a row");
      if (role === "user" && before === "tool") refuse(at, "follows a result that nothing was said about");
      for (const { id } of calls) {
        if (ids.has(id)) refuse(`${at}.tool_calls`, `have the id "${id}" of an earlier call`);
        ids.add(id);
      }
      before = role;
    }
    if (before !== "user" && before !== "tool") refuse("messages", "end without a question or a result");
  });
}

function findProblem(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!(error instanceof RequestProblem)) throw error;
    return error.message;
  }
}

function readMessages(messages: readonly unknown[]): void {
  let open = new Set<string>();
  for (const [i, value] of messages.entries()) {
    const at = `messages[${i}]`;
    const message = readObject(value, at);
    const { role, content } = message;
    if (role === "tool") {
      const id = readText(message["tool_call_id"], `${at}.tool_call_id`);
      if (!open.delete(id)) refuse(`${at}.tool_call_id`, "answers no call of the message before");
      if (typeof content !== "string") refuse(`${at}.content`, "is not a string");
      continue;
    }
    if (open.size > 0) refuse(at, "comes before the answers to all tool calls");
    if (role === "assistant" && message["tool_calls"] !== undefined) {
      open = readCalls(readList(message["tool_calls"], `${at}.tool_calls`), `${at}.tool_calls`);
      if (content !== null && typeof content !== "string") refuse(`${at}.content`, "is neither a string nor null");
    } else if (role === "system" || role === "user" || role === "assistant") {
      if (typeof content !== "string") refuse(`${at}.content`, "is not a string");
    } else refuse(`${at}.role`, "is unknown");
  }
  if (open.size > 0) refuse("messages", "end before the answers to all tool calls");
}

/** Checks the calls of a message. Gives their ids. */
function readCalls(calls: readonly unknown[], at: string): Set<string> {
  const ids = new Set<string>();
  for (const [i, value] of calls.entries()) {
    const call = readObject(value, `${at}[${i}]`);
    const id = readText(call["id"], `${at}[${i}].id`);
    if (ids.has(id)) refuse(`${at}[${i}].id`, "is not unique");
    ids.add(id);
    if (call["type"] !== "function") refuse(`${at}[${i}].type`, "is not function");
    const called = readObject(call["function"], `${at}[${i}].function`);
    if (!functionName.test(readText(called["name"], `${at}[${i}].function.name`)))
      refuse(`${at}[${i}].function.name`, "has illegal characters");
    readObject(parse(called["arguments"]), `${at}[${i}].function.arguments`);
  }
  return ids;
}

function parse(text: unknown): unknown {
  try {
    return JSON.parse(String(text)) as unknown;
  } catch {
    return undefined;
  }
}

function readTools(tools: readonly unknown[]): void {
  if (tools.length > 128) refuse("tools", "are more than 128");
  const names = new Set<string>();
  for (const [i, value] of tools.entries()) {
    const tool = readObject(value, `tools[${i}]`);
    if (tool["type"] !== "function") refuse(`tools[${i}].type`, "is not function");
    const { name, description, parameters } = readObject(tool["function"], `tools[${i}].function`);
    const at = `tools[${i}].function`;
    if (!functionName.test(readText(name, `${at}.name`))) refuse(`${at}.name`, "has illegal characters");
    if (names.has(String(name))) refuse(`${at}.name`, "is not unique");
    names.add(String(name));
    if (description !== undefined && typeof description !== "string") refuse(`${at}.description`, "is not a string");
    if (parameters === undefined) continue;
    const schema = readObject(parameters, `${at}.parameters`);
    if (schema["type"] !== "object") refuse(`${at}.parameters.type`, 'is not "object"');
    if (schema["properties"] === undefined) refuse(`${at}.parameters.properties`, "is missing");
    for (const key of ["oneOf", "anyOf", "allOf", "enum", "not"])
      if (key in schema) refuse(`${at}.parameters.${key}`, "is not allowed at the top level");
    readSchema(schema, `${at}.parameters`);
  }
}

function readSchema(value: unknown, at: string): void {
  const schema = readObject(value, at);
  const { type, properties, required, items, enum: values } = schema;
  const types: readonly unknown[] = Array.isArray(type) ? type : [type ?? "object"];
  if (!types.every((one) => schemaTypes.includes(String(one)))) refuse(`${at}.type`, "is unknown");
  if (type === "array" && items === undefined) refuse(at, "is an array schema without items");
  if (items !== undefined) readSchema(items, `${at}.items`);
  if (values !== undefined) readList(values, `${at}.enum`);
  if (schema["description"] !== undefined) readString(schema["description"], `${at}.description`);
  const fields = properties === undefined ? {} : readObject(properties, `${at}.properties`);
  for (const [name, field] of Object.entries(fields)) readSchema(field, `${at}.properties.${name}`);
  if (required === undefined) return;
  const isList = Array.isArray(required) && required.every((name) => typeof name === "string" && name in fields);
  if (!isList) refuse(`${at}.required`, "is not a list of properties");
}

function readFields(value: Fields, known: readonly string[]): void {
  const unknown = Object.keys(value).find((field) => !known.includes(field));
  if (unknown !== undefined) refuse(unknown, "is unknown");
}

function readObject(value: unknown, at: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(at, "is not an object");
  return value as Fields;
}

function readList(value: unknown, at: string): readonly unknown[] {
  return Array.isArray(value) && value.length > 0 ? value : refuse(at, "is not a list with elements");
}

function readString(value: unknown, at: string): string {
  return typeof value === "string" ? value : refuse(at, "is not a string");
}

function readText(value: unknown, at: string): string {
  return readString(value, at) || refuse(at, "is empty");
}

function refuse(at: string, problem: string): never {
  throw new RequestProblem(`${at} ${problem}`);
}

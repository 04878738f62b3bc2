import type { FieldDevice } from "./device.ts";
import type { FieldCase, FieldKind, Outcome } from "./field-case.ts";
import { listTools, result, textResult, volumeTool, type McpScript } from "./mcp.ts";
import { both, check } from "./outcomes.ts";
import type { Stage } from "./stage.ts";

const volume = "self_audio_speaker_set_volume";

/** Lets the model call the tool and then read its result aloud. */
function callAndRead(stage: Stage): void {
  stage.server.script.chat = ({ messages, tools = [] }) => {
    const last = messages.at(-1);
    if (last?.role === "tool") return [`It says ${last.content}`];
    const names = tools.map(({ function: { name } }) => name);
    return names.includes(volume) ? [{ name: volume, args: '{"volume":50}' }] : [`I have ${names.length} tools.`];
  };
}

async function ask(stage: Stage, mcp: McpScript, said: string, hello: object = {}): Promise<Outcome> {
  callAndRead(stage);
  const device: FieldDevice = await stage.connect({ mcp, hello });
  const turn = await device.ask("set the volume to fifty");
  const text = turn.said.join(" ");
  return both(check(`said “${text}”`, text === said), check(`${device.calls.length} calls`, device.calls.length <= 1));
}

/** A list of tools with an oddity, in which the tool of the volume must be found. */
function list(odd: string, script: McpScript, why: string, quick = false): FieldCase {
  return {
    odd,
    right: "the other tools work",
    why,
    quick,
    run: (stage) => ask(stage, script, "It says true"),
  };
}

/** The result of a tool call in a form of its own. */
function answer(odd: string, call: NonNullable<McpScript["call"]>, said: string, why: string): FieldCase {
  return { odd, right: `the model reads: ${said}`, why, run: (stage) => ask(stage, { call }, `It says ${said}`) };
}

const { description: _description, ...undescribed } = volumeTool;
const { inputSchema: _schema, ...bare } = volumeTool;

const lists: readonly FieldCase[] = [
  list("`nextCursor` is null", { list: (request) => [result(request, { tools: [volumeTool], nextCursor: null })] }, "Firmware in other languages writes null.", true),
  list("`description` is null", { list: listTools({ ...volumeTool, description: null }) }, "Firmware in other languages writes null."),
  list("a tool without a description", { list: listTools(undescribed) }, "Hobby firmware leaves it out."),
  list("a tool without a schema", { list: listTools(bare, { name: "self.reboot" }) }, "Hobby firmware leaves it out."),
  list("a tool without a name, before others", { list: listTools({ description: "?" }, volumeTool) }, "A broken entry must not cost the list."),
  list("an entry that is not an object", { list: listTools(null, "reboot", 7, volumeTool) }, "A broken entry must not cost the list."),
  list("the list itself as the result", { list: (request) => [result(request, [volumeTool])] }, "Hobby firmware leaves the wrapper out."),
  list("the schema as JSON text", { list: listTools({ ...bare, inputSchema: JSON.stringify(volumeTool.inputSchema) }) }, "Firmware in C keeps schemas as texts."),
  list("the schema in `parameters`", { list: listTools({ ...bare, parameters: volumeTool.inputSchema }) }, "Authors copy OpenAI's form."),
  list("types of a schema in capitals", { list: listTools({ ...bare, inputSchema: { type: "OBJECT", properties: { volume: { type: "INTEGER" } } } }) }, "Authors copy Gemini's form."),
  list("two tools with one name", { list: listTools(volumeTool, volumeTool) }, "Firmware registers a tool twice after a reconnect."),
  list("names with blanks, Chinese and emoji", { list: listTools({ name: "打开 灯 💡" }, { name: "打开 灯 🔦" }, volumeTool) }, "Names are free in MCP, and strict servers allow only ASCII."),
  list("a name of 200 letters", { list: listTools({ name: "a".repeat(200) }, volumeTool) }, "Servers of models allow 64."),
  list("a cursor that never ends", { list: (request) => [result(request, { tools: [volumeTool], nextCursor: "again" })] }, "Firmware that ignores the cursor sends its first page again."),
  list("a cursor that is a number", { list: (request) => [result(request, request.params["cursor"] ? { tools: [volumeTool] } : { tools: [bare], nextCursor: 1 })] }, "Firmware counts pages."),
  list("300 tools", { list: listTools(volumeTool, ...Array.from({ length: 300 }, (_, i) => ({ name: `tool_${i}` }))) }, "Servers of models allow 128."),
  list("annotations, icons and an output schema", { list: listTools({ ...volumeTool, title: "Volume", annotations: { audience: ["user"] }, icons: [{ src: "x" }], outputSchema: {}, _meta: {} }) }, "Newer MCP has them."),
  list("the answer to `initialize` is an error", { initialize: ({ id }) => [{ jsonrpc: "2.0", id, error: { code: -32601, message: "Method not found" } }] }, "Small firmware knows only the methods for tools."),
  list("`initialize` gets no answer", { initialize: () => [] }, "Small firmware ignores methods that it does not know."),
  list("`error: null` beside the result", { list: (request) => [{ ...result(request, { tools: [volumeTool] }), error: null }] }, "JSON-RPC 1.0 writes so."),
  list("ids come back as texts", { list: (request) => [{ ...result(request, { tools: [volumeTool] }), id: String(request.id) }], call: (request) => [{ ...textResult(request, "true"), id: String(request.id) }] }, "Firmware keeps ids as texts."),
  list("answers without `jsonrpc`", { list: ({ id }) => [{ id, result: { tools: [volumeTool] } }] }, "Hobby firmware leaves it out."),
  list("notifications and a request between the answers", { list: (request) => [{ jsonrpc: "2.0", method: "notifications/tools/list_changed" }, { jsonrpc: "2.0", id: request.id, method: "ping" }, result(request, { tools: [volumeTool] })] }, "MCP lets both sides ask."),
  list("each answer comes twice", { initialize: (request) => [result(request, {}), result(request, {})], list: (request) => [result(request, { tools: [volumeTool] }), result(request, { tools: [] })] }, "Firmware repeats messages when the network is slow."),
  list("the payload is JSON text", { list: (request) => [JSON.stringify({ type: "mcp", payload: JSON.stringify(result(request, { tools: [volumeTool] })) })] }, "Clients in Python encode twice."),
]; // prettier-ignore

const answers: readonly FieldCase[] = [
  answer("a result that is bare true", (request) => [result(request, true)], "true", "Firmware returns what its function returned."),
  answer("a result that is a text", (request) => [result(request, "louder")], "louder", "Firmware returns what its function returned."),
  answer("a result that is null", (request) => [result(request, null)], "done", "A function without a value."),
  answer("a result that is a number", (request) => [result(request, 50)], "50", "Firmware returns what its function returned."),
  answer("content that is an object, not a list", (request) => [result(request, { content: { type: "text", text: "louder" } })], "louder", "Hobby firmware has one part."),
  answer("content that is a text", (request) => [result(request, { content: "louder" })], "louder", "Hobby firmware has one part."),
  answer("structured content alone", (request) => [result(request, { structuredContent: { volume: 50 } })], '{"volume":50}', "Newer MCP allows it."),
  answer("success in fields of its own", (request) => [result(request, { success: true, volume: 50 })], '{"success":true,"volume":50}', "Older iot firmware answers so."),
  answer("an image among the content", (request) => [result(request, { content: [{ type: "image", data: "AAAA", mimeType: "image/png" }, { type: "text", text: "a cat" }] })], "[image] a cat", "Cameras answer so."),
  answer("`isError` with a text", (request) => [result(request, { isError: true, content: [{ type: "text", text: "too loud" }] })], "Error: the device refused: too loud", "The model must know that nothing was done."),
  answer("an error that is a text", ({ id }) => [{ jsonrpc: "2.0", id, error: "too loud" }], "Error: the device refused: too loud", "Hobby firmware has no codes."),
  answer("an error with only a code", ({ id }) => [{ jsonrpc: "2.0", id, error: { code: -32602 } }], 'Error: the device refused: {"code":-32602}', "Hobby firmware has no texts."),
  answer("an error that is an empty object, beside the result", (request) => [{ ...textResult(request, "true"), error: {} }], "true", "Serializers write unset objects so."),
]; // prettier-ignore

/** The MCP servers of devices. */
export const toolCases: FieldKind = { title: "Tools of devices", cases: [...lists, ...answers] };

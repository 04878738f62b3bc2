type Json = Readonly<Record<string, unknown>>;

/** A request of the server to the device's MCP server. */
export interface McpRequest {
  readonly id: unknown;
  readonly method: string;
  readonly params: Json;
}

/** An answer to a request: JSON-RPC messages, or whole text frames as they are. An empty list: no answer. */
type Answer = (request: McpRequest) => readonly (object | string)[];

/** A device's MCP server, which may answer each request in an odd way. */
export interface McpScript {
  readonly initialize?: Answer;
  readonly list?: Answer;
  readonly call?: Answer;
}

/** A tool as stock firmware lists it. */
export const volumeTool = {
  name: "self.audio_speaker.set_volume",
  description: "Set the volume.",
  inputSchema: {
    type: "object",
    properties: { volume: { type: "integer", minimum: 0, maximum: 100 } },
    required: ["volume"],
  },
};

/** Wraps a value as the result of a request. */
export function result({ id }: McpRequest, value: unknown): object {
  return { jsonrpc: "2.0", id, result: value };
}

/** Gives the result of a tool call in the usual form. */
export function textResult(request: McpRequest, text: string): object {
  return result(request, { content: [{ type: "text", text }], isError: false });
}

/** Answers a list of tools. */
export function listTools(...tools: readonly unknown[]): Answer {
  return (request) => [result(request, { tools })];
}

const usual: Required<McpScript> = {
  initialize: (request) => [
    result(request, {
      protocolVersion: "2024-11-05",
      capabilities: { tools: {} },
      serverInfo: { name: "speaker", version: "2.0.0" },
    }),
  ],
  list: listTools(volumeTool),
  call: (request) => [textResult(request, "true")],
};

/** Answers a message of the server as the script says, and reports tool calls. */
export function answerMcp(
  script: McpScript,
  { id, method, params }: Json,
  onCall: (name: string, args: unknown) => void,
): readonly (object | string)[] {
  const request = { id, method: String(method), params: (params ?? {}) as Json };
  if (request.method === "tools/call") onCall(String(request.params["name"]), request.params["arguments"]);
  const { initialize, list, call } = { ...usual, ...script };
  const answers: Readonly<Record<string, Answer>> = { initialize, "tools/list": list, "tools/call": call };
  return answers[request.method]?.(request) ?? [];
}

import type { DeviceTools, JsonObject } from "./device-tools.ts";

/** A device's answer, with the request that it belongs to. */
interface Exchange {
  readonly method: string;
  readonly id: unknown;
  readonly answer: JsonObject;
}

/** Changes an answer of stock firmware into those of another device. */
type Shape = (exchange: Exchange) => readonly JsonObject[];

const onList =
  (change: (list: JsonObject) => unknown): Shape =>
  ({ method, answer }) => {
    const result = answer["result"] as JsonObject | undefined;
    return [method === "tools/list" && result ? { ...answer, result: change(result) } : answer];
  };
const onTools = (change: (tool: JsonObject) => JsonObject): Shape =>
  onList((list) => ({ ...list, tools: (list["tools"] as readonly JsonObject[]).map(change) }));
const onResult =
  (change: (text: string) => unknown): Shape =>
  ({ method, answer }) => {
    const result = answer["result"] as { readonly content: readonly [{ readonly text: string }] } | undefined;
    return [method === "tools/call" && result ? { ...answer, result: change(result.content[0].text) } : answer];
  };
const nameless = { description: "has no name" };
const without = (tool: JsonObject, field: string) =>
  Object.fromEntries(Object.entries(tool).filter(([name]) => name !== field));

// The shapes of MCP answers that devices in the field give, by the deviation from stock firmware.
const mcpShapes = {
  stock: ({ answer }) => [answer],
  silent: () => [],
  twice: ({ answer }) => [answer, answer],
  "no-initialize": ({ method, id, answer }) =>
    method === "initialize"
      ? [{ jsonrpc: "2.0", id, error: { code: -32_601, message: "Method not found" } }]
      : [answer],
  "null-cursor": onList((list) => ({ ...list, nextCursor: null })),
  "empty-cursor": onList((list) => ({ ...list, nextCursor: "" })),
  "null-description": onTools((tool) => ({ ...tool, description: null })),
  "no-schema": onTools((tool) => without(tool, "inputSchema")),
  "list-schema": onTools((tool) => ({ ...tool, inputSchema: [] })),
  "no-name": onList((list) => ({ ...list, tools: [nameless, ...(list["tools"] as readonly JsonObject[]), null] })),
  "bare-list": onList(({ tools }) => tools),
  "null-error": ({ answer }) => [{ ...answer, error: null }],
  "text-id": ({ id, answer }) => [{ ...answer, id: String(id) }],
  "no-jsonrpc": ({ answer }) => [without(answer, "jsonrpc")],
  "bare-result": onResult((text) => text),
  "boolean-result": onResult(() => true),
  "object-result": onResult(() => ({ success: true })),
  "text-content": onResult((text) => ({ content: text })),
  "object-content": onResult((text) => ({ content: { type: "text", text } })),
  "text-list-content": onResult((text) => ({ content: [text] })),
  "no-content": onResult(() => ({ content: [] })),
  "null-result": onResult(() => null),
} as const satisfies Readonly<Record<string, Shape>>;

export type McpShape = keyof typeof mcpShapes;
/** The names of the shapes. */
export const mcpShapeNames = Object.keys(mcpShapes) as readonly McpShape[];

/** Gives a device's answers another shape. */
export function shapeAnswers(tools: DeviceTools, shape: McpShape): DeviceTools {
  const change: Shape = mcpShapes[shape];
  return {
    answer: (request) =>
      tools
        .answer(request)
        .flatMap((answer) => change({ method: String(request["method"]), id: request["id"], answer })),
  };
}

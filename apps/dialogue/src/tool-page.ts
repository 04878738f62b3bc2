import { DeviceTool, parseJson } from "@voxbus/protocol";
import type { Tool } from "./engines/engine.ts";

/** A field of a device's list of tools that is left out. Without its `name`, the whole tool is left out. */
export interface LeftOutField {
  /** The place of the tool in its page, or -1 for the page itself. */
  readonly at: number;
  readonly field: "name" | "description" | "inputSchema" | "tools" | "nextCursor";
}

/** One page of a device's list of tools, as far as it can be read. */
export interface ToolPage {
  /** The tools with their places in the page. */
  readonly tools: readonly { readonly at: number; readonly tool: Tool }[];
  readonly cursor: string | undefined;
  readonly left: readonly LeftOutField[];
}

const { name: Name, description: Description, inputSchema: Schema } = DeviceTool.shape;
const maxCursor = 1024;

/** Reads a page tool by tool. `null` is absent. Only a tool without a name is left out. */
export function readToolPage(result: unknown): ToolPage {
  const page = isObject(result) ? result : { tools: result };
  const left: LeftOutField[] = [];
  const given = page["tools"] ?? [];
  if (!Array.isArray(given)) left.push({ at: -1, field: "tools" });
  const tools = (Array.isArray(given) ? (given as unknown[]) : []).flatMap((tool, at) => {
    const read = readTool(tool, (field) => left.push({ at, field }));
    return read === undefined ? [] : [{ at, tool: read }];
  });
  const cursor = page["nextCursor"] ?? "";
  const text = typeof cursor === "number" ? String(cursor) : cursor;
  const isCursor = typeof text === "string" && text.length <= maxCursor;
  if (!isCursor) left.push({ at: -1, field: "nextCursor" });
  return { tools, cursor: isCursor && text !== "" ? text : undefined, left };
}

function readTool(given: unknown, leaveOut: (field: LeftOutField["field"]) => void): Tool | undefined {
  const tool = isObject(given) ? given : {};
  const name = Name.safeParse(tool["name"]).data;
  if (name === undefined || name.trim() === "") {
    leaveOut("name");
    return undefined;
  }
  const description = Description.safeParse(tool["description"] ?? undefined);
  if (!description.success) leaveOut("description");
  const schema = tool["inputSchema"] ?? tool["input_schema"] ?? tool["parameters"] ?? undefined;
  const inputSchema = Schema.safeParse(typeof schema === "string" ? parseJson(schema) : schema);
  if (!inputSchema.success) leaveOut("inputSchema");
  return {
    name,
    description: description.data ?? "",
    inputSchema: inputSchema.data ?? Schema.parse(undefined),
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

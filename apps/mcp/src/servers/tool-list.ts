import { readSchema, SchemaError } from "@voxbus/subscriber";
import { z } from "zod";

/** A tool as an MCP server lists it. */
export interface McpTool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of its arguments. */
  readonly schema: Readonly<Record<string, unknown>>;
}

/** Why a listed tool is not offered. */
export type LeftOutReason = "bad-tool" | "bad-name" | "bad-schema" | "schema-too-large" | "duplicate" | "too-many";

/** The tools of a server as far as they can be offered, and the number of the others by reason. */
export interface McpToolList {
  readonly tools: readonly McpTool[];
  readonly leftOut: Readonly<Partial<Record<LeftOutReason, number>>>;
}

const maxPages = 32;
const maxDescription = 1024;
const maxSchemaBytes = 8192;

/** A page of a list, as servers send it. */
export const ToolPage = z.looseObject({ tools: z.array(z.unknown()), nextCursor: z.string().max(4096).nullish() });

/**
 * Reads a server's list of tools, at most 32 pages of it, and keeps the first `most` tools. A tool that cannot be read is left
 * out and the others are kept. Rejects if `request` does.
 */
export async function readToolList(
  request: (page: { method: "tools/list"; params: { cursor?: string } }) => Promise<z.infer<typeof ToolPage>>,
  most: number,
): Promise<McpToolList> {
  const tools = new Map<string, McpTool>();
  const leftOut: Partial<Record<LeftOutReason, number>> = {};
  let cursor: string | undefined;
  for (let page = 0; page < maxPages; page += 1) {
    const params = cursor === undefined ? {} : { cursor };
    const { tools: listed, nextCursor } = await request({ method: "tools/list", params });
    for (const given of listed) {
      const read = readTool(given);
      const reason = typeof read === "string" ? read : refuse(read, tools, most);
      if (reason !== undefined) leftOut[reason] = (leftOut[reason] ?? 0) + 1;
      else if (typeof read === "object") tools.set(read.name, read);
    }
    if (!nextCursor || nextCursor === cursor || tools.size >= most) break;
    cursor = nextCursor;
  }
  return { tools: [...tools.values()], leftOut };
}

function refuse({ name }: McpTool, tools: ReadonlyMap<string, McpTool>, most: number): LeftOutReason | undefined {
  if (tools.has(name)) return "duplicate";
  return tools.size >= most ? "too-many" : undefined;
}

const Tool = z.looseObject({
  name: z.unknown().optional(),
  title: z.string().nullish().catch(undefined),
  description: z.string().nullish().catch(undefined),
  inputSchema: z.unknown().optional(),
});

function readTool(given: unknown): McpTool | LeftOutReason {
  const { data } = Tool.safeParse(given);
  if (data === undefined) return "bad-tool";
  const { name, title, description, inputSchema = {} } = data;
  if (typeof name !== "string" || name.trim() === "" || name.length > 128) return "bad-name";
  if (typeof inputSchema !== "object" || inputSchema === null || Array.isArray(inputSchema)) return "bad-schema";
  // Some servers leave out the type, which models' APIs require.
  const schema = { type: "object", properties: {}, ...inputSchema };
  const text = JSON.stringify(schema);
  if (Buffer.byteLength(text) > maxSchemaBytes) return "schema-too-large";
  try {
    readSchema(text);
  } catch (error) {
    if (error instanceof SchemaError) return "bad-schema";
    throw error;
  }
  return { name, description: (description || title || name).slice(0, maxDescription), schema };
}

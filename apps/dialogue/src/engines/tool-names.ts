import type { ChatCompletionTool } from "openai/resources/chat/completions";
import type { Tool } from "./engine.ts";
import { repairToolSchema } from "./tool-schema.ts";

const longestName = 64;

/** The tools of a device under names that a chat completions API accepts, and the way back. */
export interface NamedTools {
  readonly tools: ChatCompletionTool[];
  readonly toolOf: ReadonlyMap<string, Tool>;
}

/** Gives each tool a name without dots and of at most 64 characters. Names stay distinct. */
export function nameTools(list: readonly Tool[]): NamedTools {
  const toolOf = new Map<string, Tool>();
  for (const tool of list) {
    const plain = plainName(tool.name);
    let name = plain;
    for (let i = 2; toolOf.has(name); i += 1) name = `${plain.slice(0, longestName - 1 - String(i).length)}_${i}`;
    toolOf.set(name, tool);
  }
  const tools = [...toolOf].map(([name, { description, inputSchema }]): ChatCompletionTool => {
    return { type: "function", function: { name, description, parameters: repairToolSchema(inputSchema) } };
  });
  return { tools, toolOf };
}

/** Makes a name that the API accepts. */
export function plainName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, longestName) || "_";
}

/** Finds the tool that a model means. Models also use the device's own name for it, or put a name space before it. */
export function findTool({ toolOf }: NamedTools, name: string): Tool | undefined {
  return toolOf.get(name) ?? toolOf.get(plainName(name)) ?? toolOf.get(plainName(bareName(name)));
}

/** Removes the name space before a tool's name, and the number of the call behind it. */
export function bareName(name: string): string {
  return name
    .trim()
    .replace(/^(?:functions?|default_api|tools?)[.:]/i, "")
    .replace(/:\d+$/, "");
}

import { buckets, DeviceTool } from "@voxbus/protocol";
import type { Bus } from "@voxbus/bus";
import QuickLRU from "quick-lru";
import { z } from "zod";
import type { Tool } from "./engines/engine.ts";
import { parseResult, type McpClient, type McpSession } from "./mcp-client.ts";

/** The tool lists of sessions. A device is asked once; after that every dialogue knows its list. */
export interface ToolLists {
  /** Resolves with the tools of a session. Throws ToolError. */
  read(of: McpSession): Promise<readonly Tool[]>;
  /** Forgets the list of a closed session. */
  forget(session: string): void;
}

const maxPages = 32;
const maxSessions = 10_000;

const ToolPage = z.object({
  tools: z.array(DeviceTool),
  nextCursor: z.string().optional(),
});

/** Creates the lists, which are kept in the bucket `tools`. */
export function createToolLists(bus: Bus, client: McpClient): ToolLists {
  const bucket = bus.bucket(buckets.tools);
  const lists = new QuickLRU<string, Promise<readonly Tool[]>>({ maxSize: maxSessions });

  const load = async (of: McpSession): Promise<readonly Tool[]> => {
    const known = (await bucket.get(of.session))?.value;
    if (known !== undefined) return known;
    const tools = await askDevice(client, of);
    await bucket.put(of.session, [...tools]);
    return tools;
  };

  return {
    read(of) {
      let list = lists.get(of.session);
      if (list === undefined) {
        list = load(of);
        lists.set(of.session, list);
        list.catch(() => lists.delete(of.session));
      }
      return list;
    },
    forget: (session) => void lists.delete(session),
  };
}

async function askDevice(client: McpClient, of: McpSession): Promise<readonly Tool[]> {
  await client.request(of, {
    method: "initialize",
    params: { protocolVersion: "2024-11-05", capabilities: {}, clientInfo: { name: "voxbus", version: "1" } },
  });
  const tools: Tool[] = [];
  let cursor: string | undefined = "";
  for (let page = 0; cursor !== undefined && page < maxPages; page += 1) {
    const result = await client.request(of, { method: "tools/list", params: { cursor } });
    const listed: z.infer<typeof ToolPage> = parseResult(ToolPage, result);
    tools.push(...listed.tools);
    cursor = listed.nextCursor === "" ? undefined : listed.nextCursor;
  }
  return tools;
}

import { setTimeout as delay } from "node:timers/promises";
import { buckets, DeviceTool } from "@voxbus/protocol";
import { StorageFullError, type Bus } from "@voxbus/bus";
import QuickLRU from "quick-lru";
import { z } from "zod";
import { ToolError, type Tool } from "./engines/engine.ts";
import { parseResult, type McpClient, type McpSession } from "./mcp-client.ts";

/** The tool lists of sessions. A device is asked once; after that every dialogue knows its list. */
export interface ToolLists {
  /**
   * Resolves with the tools of a session, or with none while the device takes longer than the wait allows. Only the first
   * read of a session whose device fails throws ToolError; the others get no tools. Throws the reason of `signal`.
   */
  read(of: McpSession, signal?: AbortSignal): Promise<readonly Tool[]>;
  /** Forgets the list of a closed session, and stops asking for it. */
  forget(session: string): void;
}

const maxPages = 32;
const maxSessions = 10_000;
const maxTools = 64;
const maxListBytes = 65_536;

const ToolPage = z.object({
  tools: z.array(DeviceTool),
  nextCursor: z.string().max(1024).optional(),
});

interface AskedList {
  readonly abort: AbortController;
  /** The list, or none if the device is slow to answer. */
  answer: Promise<readonly Tool[]>;
}

/** Creates the lists, which are kept in the bucket `tools`. Readers wait at most `waitMs` from when the device was asked. */
export function createToolLists(bus: Bus, client: McpClient, { waitMs }: { readonly waitMs: number }): ToolLists {
  const bucket = bus.bucket(buckets.tools);
  const lists = new QuickLRU<string, AskedList>({ maxSize: maxSessions });

  const keep = async (session: string, tools: readonly Tool[]): Promise<void> => {
    try {
      await bucket.put(session, [...tools]);
    } catch (error) {
      // The bus has logged it. The device is asked again by each dialogue.
      if (!(error instanceof StorageFullError)) throw error;
    }
  };
  const load = async (of: McpSession, signal: AbortSignal): Promise<readonly Tool[]> => {
    const known = (await bucket.get(of.session))?.value;
    if (known !== undefined) return known;
    try {
      const tools = await askDevice(client, of, signal);
      await keep(of.session, tools);
      return tools;
    } catch (error) {
      // Other dialogues then do not ask a device that failed.
      if (error instanceof ToolError && !signal.aborted) await keep(of.session, []);
      throw error;
    }
  };

  const ask = (of: McpSession): AskedList => {
    const abort = new AbortController();
    const list = load(of, abort.signal);
    const late = delay(waitMs, [], { ref: false, signal: abort.signal });
    const asked: AskedList = { abort, answer: Promise.race([list, late]) };
    lists.set(of.session, asked);
    list.then(
      () => (asked.answer = list),
      (error: unknown) => {
        if (error instanceof ToolError) asked.answer = Promise.resolve([]);
        else if (lists.get(of.session) === asked) lists.delete(of.session);
      },
    );
    return asked;
  };

  return {
    read: (of, signal) => waitFor((lists.get(of.session) ?? ask(of)).answer, signal),
    forget(session) {
      lists.get(session)?.abort.abort();
      lists.delete(session);
    },
  };
}

/** Resolves as `answer` does, or rejects with the signal's reason as soon as it aborts. */
function waitFor<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return answer;
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    void answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Asks a device for its tools, page by page. Tools beyond 64, or beyond 64 KiB of JSON, are left out. */
async function askDevice(client: McpClient, of: McpSession, signal: AbortSignal): Promise<Tool[]> {
  await client.request(
    of,
    {
      method: "initialize",
      params: { protocolVersion: "2024-11-05", capabilities: {}, clientInfo: { name: "voxbus", version: "1" } },
    },
    signal,
  );
  const tools: Tool[] = [];
  let bytes = 0;
  let cursor: string | undefined = "";
  for (let page = 0; cursor !== undefined && page < maxPages; page += 1) {
    const result = await client.request(of, { method: "tools/list", params: { cursor } }, signal);
    const listed: z.infer<typeof ToolPage> = parseResult(ToolPage, result);
    for (const tool of listed.tools) {
      bytes += Buffer.byteLength(JSON.stringify(tool));
      if (tools.length === maxTools || bytes > maxListBytes) return tools;
      tools.push(tool);
    }
    cursor = listed.nextCursor === "" ? undefined : listed.nextCursor;
  }
  return tools;
}

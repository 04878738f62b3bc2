import { setTimeout as delay } from "node:timers/promises";
import { buckets } from "@voxbus/protocol";
import { StorageFullError, type Bus } from "@voxbus/bus";
import type { McpClient, McpSession } from "@voxbus/subscriber";
import QuickLRU from "quick-lru";
import { RefusedToolError, ToolError, type Tool } from "./engines/engine.ts";
import { readToolPage, type ToolPage } from "./tool-page.ts";

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

/** An HTTP service that explains pictures to devices (docs/protocol.md, device MCP). */
export interface Vision {
  readonly url: string;
  readonly token?: string | undefined;
}

/** Some clients read both texts without a check. For all others, an empty address is no vision. */
const noVision: Vision = { url: "" };
const maxPages = 32;
const maxSessions = 10_000;
const maxTools = 64;
const maxListBytes = 65_536;
/** How often a list that is not there yet is looked for, ms. */
const pollMs = 100;

/** The limits of asking for lists. */
interface ListOptions {
  /** Readers wait at most this long from when the device was asked, ms. */
  readonly waitMs: number;
  /** Where devices with a camera may have pictures explained. */
  readonly vision: Vision | undefined;
  /** Called once for a list with fields that are left out, with their paths. */
  readonly onLeftOut: ((of: McpSession, paths: readonly string[]) => void) | undefined;
}

interface AskedList {
  readonly abort: AbortController;
  /** The list, or none if the device is slow to answer. */
  answer: Promise<readonly Tool[]>;
}

/** Creates the lists, which are kept in the bucket `tools`. */
export function createToolLists(bus: Bus, client: McpClient, { waitMs, vision, onLeftOut }: ListOptions): ToolLists {
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
      await initialize(client, of, { vision, waitMs: waitMs / 2 }, signal);
      const { tools, left } = await askDevice(client, of, signal);
      if (left.length > 0) onLeftOut?.(of, left);
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

/**
 * Creates the lists of a shadow: those that the real dialogue stores, which is the one that asks the devices. They wait for a
 * list as long as it does, at most `waitMs`.
 */
export function createStoredLists(bus: Bus, waitMs: number): ToolLists {
  const bucket = bus.bucket(buckets.tools);
  return {
    async read({ session }, signal) {
      const end = performance.now() + waitMs;
      for (;;) {
        const known = (await bucket.get(session))?.value;
        if (known !== undefined || performance.now() > end) return known ?? [];
        await delay(pollMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
      }
    },
    forget: () => undefined,
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

/** The tools of a device, and the paths of what is left out. */
interface GivenTools {
  readonly tools: readonly Tool[];
  readonly left: readonly string[];
}

/** Asks a device for its tools, page by page. Tools beyond 64, or beyond 64 KiB of JSON, are left out. */
async function askDevice(client: McpClient, of: McpSession, signal: AbortSignal): Promise<GivenTools> {
  const list = collectTools();
  let cursor: string | undefined = "";
  for (let count = 0; cursor !== undefined && count < maxPages; count += 1) {
    const asked: string = cursor;
    const answer = client.request(of, { method: "tools/list", params: { cursor } }, signal);
    // A page that cannot be had leaves those before it.
    const result = count === 0 ? await answer : await answer.catch(ignoreRefusal);
    const page = readToolPage(result);
    cursor = list.add(page) && page.cursor !== asked ? page.cursor : undefined;
  }
  return list;
}

/** Begins the dialogue with a device's MCP server. Some devices refuse or ignore it, but have tools. */
async function initialize(
  client: McpClient,
  of: McpSession,
  { vision: { url, token } = noVision, waitMs }: { readonly vision: Vision | undefined; readonly waitMs: number },
  signal: AbortSignal,
): Promise<void> {
  const capabilities = { vision: { url, token: token ?? "" } };
  const params = { protocolVersion: "2024-11-05", capabilities, clientInfo: { name: "voxbus", version: "1" } };
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), waitMs);
  await client
    .request(of, { method: "initialize", params }, AbortSignal.any([signal, patience.signal]))
    .catch((error: unknown) => patience.signal.aborted || ignoreRefusal(error))
    .finally(() => clearTimeout(timer));
  signal.throwIfAborted();
}

function ignoreRefusal(error: unknown): undefined {
  if (!(error instanceof RefusedToolError)) throw error;
}

/** Collects the tools of pages, each name once. `add` gives false once the list is full. */
function collectTools(): GivenTools & { add(page: ToolPage): boolean } {
  const tools = new Map<string, Tool>();
  const left = new Set<string>();
  let bytes = 0;
  let isFull = false;
  const keep = (tool: Tool): string | undefined => {
    const size = Buffer.byteLength(JSON.stringify(tool));
    if (tools.has(tool.name)) return "duplicate";
    if (tools.size === maxTools || bytes + size > maxListBytes) {
      isFull = true;
      return "limit";
    }
    bytes += size;
    tools.set(tool.name, tool);
    return undefined;
  };
  return {
    get tools() {
      return [...tools.values()];
    },
    get left() {
      return [...left];
    },
    add(page) {
      for (const { at, field } of page.left) left.add(at === -1 ? field : `tools.${at}.${field}`);
      for (const { at, tool } of page.tools) {
        const problem = keep(tool);
        if (problem !== undefined) left.add(`tools.${at}.${problem}`);
      }
      return !isFull;
    },
  };
}

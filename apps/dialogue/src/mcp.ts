import { ConflictError, type Bus } from "@voxbus/bus";
import { busVersion, subjects, type InControlFrame, type OutTextFrame } from "@voxbus/protocol";
import { z } from "zod";
import { ToolError, type Tool, type Tools } from "./engine.ts";

/** The client of the devices' own MCP servers (docs/protocol.md, device MCP). */
export interface Mcp {
  /** Takes any control frame of any device. */
  take(frame: InControlFrame): void;
  /** The tools of a session: asked of the device once, then known to every dialogue. Throws ToolError. */
  list(device: string, session: string): Promise<readonly Tool[]>;
  /** The tools as one turn calls them: each call is stored before it is sent, so that it is made once. */
  toolsOf(
    turn: { readonly device: string; readonly session: string; readonly origin: number },
    list: readonly Tool[],
  ): Tools;
}

const mostPages = 32;
const mostSessions = 10_000;
/** JSON-RPC ids are int32; those of calls are below, those of questions above. */
const idSpace = 2 ** 30;
const callsOfTurn = 64;

const Listed = z.object({
  tools: z.array(
    z.object({
      name: z.string(),
      description: z.string().default(""),
      inputSchema: z.record(z.string(), z.unknown()).default({ type: "object", properties: {} }),
    }),
  ),
  nextCursor: z.string().optional(),
});
const Called = z.object({
  content: z.array(z.object({ type: z.string(), text: z.string().optional() })),
  isError: z.boolean().default(false),
});
const Answered = z.object({
  id: z.number(),
  result: z.unknown().optional(),
  error: z.looseObject({ message: z.string().default("no message") }).optional(),
});
const CallRecord = z.object({
  id: z.number(),
  name: z.string(),
  args: z.string(),
  at: z.number(),
  text: z.string().optional(),
});

/** Creates the client; a device that does not answer for `timeoutMs` has failed. */
export function createMcp(bus: Bus, { timeoutMs }: { readonly timeoutMs: number }): Mcp {
  const bucket = bus.bucket("dialogues");
  const waiting = new Map<string, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  const lists = new Map<string, Promise<readonly Tool[]>>();

  const send = (device: string, session: string, payload: Record<string, unknown>) => {
    const frame: OutTextFrame = {
      v: busVersion,
      session,
      kind: "text",
      body: { type: "mcp", payload: { jsonrpc: "2.0", ...payload } },
    };
    bus.publish(subjects.out(device), frame);
  };

  const waitFor = (session: string, id: number, ms: number, signal?: AbortSignal): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const key = `${session}:${id}`;
      const end = (settle: () => void) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        waiting.delete(key);
        settle();
      };
      const abort = () => end(() => reject(new ToolError("the call was given up", { cause: signal?.reason })));
      const timer = setTimeout(
        () => end(() => reject(new ToolError(`the device did not answer within ${timeoutMs} ms`))),
        ms,
      );
      waiting.set(key, {
        resolve: (result) => end(() => resolve(result)),
        reject: (error) => end(() => reject(error)),
      });
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort);
    });

  const ask = async (device: string, session: string, method: string, params: object): Promise<unknown> => {
    const id = idSpace + Math.floor(Math.random() * (idSpace - 1));
    const answer = waitFor(session, id, timeoutMs);
    send(device, session, { id, method, params });
    return answer;
  };

  const askForTools = async (device: string, session: string): Promise<readonly Tool[]> => {
    const key = `=tools.${session}`;
    const known = z.array(Listed.shape.tools.element).safeParse((await bucket.get(key))?.value);
    if (known.success) return known.data;
    await ask(device, session, "initialize", {
      protocolVersion: "2024-11-05",
      capabilities: {},
      clientInfo: { name: "voxbus", version: "1" },
    });
    const tools: Tool[] = [];
    let cursor: string | undefined = "";
    for (let page = 0; cursor !== undefined && page < mostPages; page += 1) {
      const listed: z.infer<typeof Listed> = parse(Listed, await ask(device, session, "tools/list", { cursor }));
      tools.push(...listed.tools);
      cursor = listed.nextCursor === "" ? undefined : listed.nextCursor;
    }
    await bucket.put(key, tools);
    return tools;
  };

  return {
    take({ session, body }) {
      if (body.type === "closed") lists.delete(session);
      if (body.type !== "mcp") return;
      const answer = Answered.safeParse(body.payload);
      const waiter = answer.success ? waiting.get(`${session}:${answer.data.id}`) : undefined;
      if (!answer.success || waiter === undefined) return;
      const { error, result } = answer.data;
      if (error === undefined) waiter.resolve(result);
      else waiter.reject(new ToolError(`the device refused: ${error.message}`));
    },

    list(device, session) {
      let list = lists.get(session);
      if (list === undefined) {
        list = askForTools(device, session);
        lists.set(session, list);
        if (lists.size > mostSessions) lists.delete(lists.keys().next().value ?? "");
        list.catch(() => lists.delete(session));
      }
      return list;
    },

    toolsOf({ device, session, origin }, list) {
      let k = 0;
      /** The record of the next call: made now, or by a predecessor that called the same. */
      const claimCall = async (name: string, args: string) => {
        for (;;) {
          k += 1;
          const key = `=call.${session}.${origin}.${k}`;
          const record = { id: (origin * callsOfTurn + k) % idSpace, name, args, at: Date.now() };
          try {
            return { key, record, revision: await bucket.update(key, record, 0), mine: true, text: undefined };
          } catch (error) {
            if (!(error instanceof ConflictError)) throw error;
          }
          const entry = await bucket.get(key);
          const found = CallRecord.safeParse(entry?.value);
          if (entry !== undefined && found.success && found.data.name === name && found.data.args === args) {
            return { key, record: found.data, revision: entry.revision, mine: false, text: found.data.text };
          }
        }
      };

      return {
        list,
        async call(name, args, signal) {
          if (!list.some((tool) => tool.name === name)) throw new ToolError(`the device has no tool "${name}"`);
          const { key, record, revision, mine, text } = await claimCall(name, JSON.stringify(args));
          if (text !== undefined) return text;
          const answer = waitFor(session, record.id, record.at + timeoutMs - Date.now(), signal);
          if (mine) send(device, session, { id: record.id, method: "tools/call", params: { name, arguments: args } });
          const { content, isError } = parse(Called, await answer);
          const result = content.map((part) => part.text ?? "").join("\n");
          if (isError) throw new ToolError(`the device refused: ${result}`);
          await keepResult(key, { ...record, text: result }, revision);
          return result;
        },
      };
    },
  };

  /** For a successor of this turn, which must not call again. */
  async function keepResult(key: string, record: object, revision: number): Promise<void> {
    try {
      await bucket.update(key, record, revision);
    } catch (error) {
      // Whoever was first has stored the same answer.
      if (!(error instanceof ConflictError)) throw error;
    }
  }
}

function parse<S extends z.ZodType>(schema: S, result: unknown): z.infer<S> {
  const parsed = schema.safeParse(result);
  if (!parsed.success) throw new ToolError("the device's answer is malformed", { cause: parsed.error });
  return parsed.data;
}

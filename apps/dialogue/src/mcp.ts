import { ConflictError, type Bus } from "@voxbus/bus";
import { busVersion, InControlFrame, subjects, type OutTextFrame } from "@voxbus/protocol";
import { z } from "zod";
import { ToolError, type Tool, type Tools } from "./engines/engine.ts";

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
const controlsRead = 64;
/** Devices that connect for each conversation would fill the bucket otherwise, ms: tools can be asked for again, turns end. */
const toolsTtlMs = 3_600_000;
const callTtlMs = 6 * 3_600_000;

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
const CallRecord = z.object({ name: z.string(), args: z.string(), text: z.string().optional() });

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

  /** Waits for the answer to `id` from now on; to be closed when it is no longer wanted. */
  const expectAnswer = (session: string, id: number, signal?: AbortSignal) => {
    const key = `${session}:${id}`;
    const { promise, resolve, reject } = createDeferred();
    const abort = () => reject(new ToolError("the call was given up", { cause: signal?.reason }));
    const late = () => reject(new ToolError(`the device did not answer within ${timeoutMs} ms`));
    const timer = setTimeout(late, timeoutMs);
    const waiter = { resolve, reject };
    waiting.set(key, waiter);
    signal?.addEventListener("abort", abort);
    if (signal?.aborted === true) abort();
    return {
      answer: promise,
      close() {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        if (waiting.get(key) === waiter) waiting.delete(key);
      },
    };
  };

  const ask = async (device: string, session: string, method: string, params: object): Promise<unknown> => {
    const id = idSpace + Math.floor(Math.random() * (idSpace - 1));
    const expected = expectAnswer(session, id);
    try {
      send(device, session, { id, method, params });
      return await expected.answer;
    } finally {
      expected.close();
    }
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
    await bucket.put(key, tools, { ttlMs: toolsTtlMs });
    return tools;
  };

  const take = ({ session, body }: InControlFrame) => {
    if (body.type === "closed") lists.delete(session);
    if (body.type !== "mcp") return;
    const answer = Answered.safeParse(body.payload);
    const waiter = answer.success ? waiting.get(`${session}:${answer.data.id}`) : undefined;
    if (!answer.success || waiter === undefined) return;
    const { error, result } = answer.data;
    if (error === undefined) waiter.resolve(result);
    else waiter.reject(new ToolError(`the device refused: ${error.message}`));
  };

  return {
    take,

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

      /** Makes the k-th call of the turn, or finds what it came to; undefined when the k-th call was another one. */
      const callOnce = async (name: string, args: Readonly<Record<string, unknown>>, signal?: AbortSignal) => {
        const key = `=call.${session}.${origin}.${k}`;
        const record = { id: (origin * callsOfTurn + k) % idSpace, name, args: JSON.stringify(args) };
        const expected = expectAnswer(session, record.id, signal);
        try {
          const revision = await createRecord(key, record);
          if (revision !== undefined) {
            send(device, session, { id: record.id, method: "tools/call", params: { name, arguments: args } });
            const text = readText(await expected.answer);
            await keepText(key, { ...record, text }, revision);
            return text;
          }
          const found = CallRecord.safeParse((await bucket.get(key))?.value);
          if (!found.success || found.data.name !== name || found.data.args !== record.args) return undefined;
          if (found.data.text !== undefined) return found.data.text;
          // Whoever made the call may be gone, and its answer with it, except from the stream.
          const passed = await bus.stored(subjects.in(device, "control"), InControlFrame, controlsRead, signal);
          for (const { message } of passed) take(message);
          return readText(await expected.answer);
        } finally {
          expected.close();
        }
      };

      return {
        list,
        async call(name, args, signal) {
          if (!list.some((tool) => tool.name === name)) throw new ToolError(`the device has no tool "${name}"`);
          for (;;) {
            k += 1;
            const text = await callOnce(name, args, signal);
            if (text !== undefined) return text;
          }
        },
      };
    },
  };

  async function createRecord(key: string, record: object): Promise<number | undefined> {
    try {
      return await bucket.update(key, record, 0, { ttlMs: callTtlMs });
    } catch (error) {
      if (error instanceof ConflictError) return undefined;
      throw error;
    }
  }

  /** For a successor of this turn, which must not call again. */
  async function keepText(key: string, record: object, revision: number): Promise<void> {
    try {
      await bucket.update(key, record, revision, { ttlMs: callTtlMs });
    } catch (error) {
      // Erased in the meantime: then there is nothing to keep.
      if (!(error instanceof ConflictError)) throw error;
    }
  }
}

function createDeferred() {
  let resolve: (result: unknown) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<unknown>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // It may fail before, or without, anybody waiting for it.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

function readText(result: unknown): string {
  const { content, isError } = parse(Called, result);
  const text = content.map((part) => part.text ?? "").join("\n");
  if (isError) throw new ToolError(`the device refused: ${text}`);
  return text;
}

function parse<S extends z.ZodType>(schema: S, result: unknown): z.infer<S> {
  const parsed = schema.safeParse(result);
  if (!parsed.success) throw new ToolError("the device's answer is malformed", { cause: parsed.error });
  return parsed.data;
}

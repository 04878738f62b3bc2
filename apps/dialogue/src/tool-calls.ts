import { ConflictError, type Bus } from "@voxbus/bus";
import { buckets, channels, type ToolCall as StoredCall } from "@voxbus/protocol";
import { z } from "zod";
import { ToolError } from "./engines/engine.ts";
import { firstRequestId, parseResult, type McpClient } from "./mcp-client.ts";
import type { TurnId } from "./turn-input.ts";

/** One call within a turn. */
export interface ToolCall {
  /** The number of the call within its turn, from 1. */
  readonly index: number;
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** The tool calls of turns. Each is stored before it is sent, so that a turn that is started again does not repeat it. */
export interface ToolCalls {
  /**
   * Makes a call, or finds its result if an earlier attempt at the turn made it. Resolves with undefined if that attempt
   * made another call at this index. Throws ToolError.
   */
  make(turn: TurnId, call: ToolCall, signal?: AbortSignal): Promise<string | undefined>;
}

const maxCallsPerTurn = 64;
const controlsRead = 64;

const CallResult = z.object({
  content: z.array(z.object({ type: z.string(), text: z.string().optional() })),
  isError: z.boolean().default(false),
});

/** Creates the calls, which are kept in the bucket `tool-calls`. */
export function createToolCalls(bus: Bus, client: McpClient): ToolCalls {
  const bucket = bus.bucket(buckets.toolCalls);

  /** Stores a new call; undefined if there is one already. */
  const create = async (key: string, record: StoredCall): Promise<number | undefined> => {
    try {
      return await bucket.update(key, record, 0);
    } catch (error) {
      if (error instanceof ConflictError) return undefined;
      throw error;
    }
  };
  /** Stores the result for a successor of this turn, unless the call was erased in the meantime. */
  const keepText = async (key: string, record: StoredCall, revision: number): Promise<void> => {
    try {
      await bucket.update(key, record, revision);
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
    }
  };

  return {
    async make(turn, { index, name, args }, signal) {
      const { device, session, origin } = turn;
      const key = `${session}.${origin}.${index}`;
      const id = (origin * maxCallsPerTurn + index) % firstRequestId;
      const record = { name, args: JSON.stringify(args) };
      const expected = client.expect(session, id, signal);
      try {
        const revision = await create(key, record);
        if (revision !== undefined) {
          client.send(turn, { id, method: "tools/call", params: { name, arguments: args } });
          const text = readText(await expected.answer);
          await keepText(key, { ...record, text }, revision);
          return text;
        }
        const found = (await bucket.get(key))?.value;
        if (found === undefined || found.name !== name || found.args !== record.args) return undefined;
        if (found.text !== undefined) return found.text;
        // The worker that made the call may be gone. The answer may then be in the stream.
        const controls = await bus.stored(channels.inControl(device), controlsRead, signal);
        for (const { message } of controls) client.handle(message);
        return readText(await expected.answer);
      } finally {
        expected.close();
      }
    },
  };
}

function readText(result: unknown): string {
  const { content, isError } = parseResult(CallResult, result);
  const text = content.map((part) => part.text ?? "").join("\n");
  if (isError) throw new ToolError(`the device refused: ${text}`);
  return text;
}

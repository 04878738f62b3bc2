import type { Bus } from "@voxbus/bus";
import { buckets, channels, type ToolCall as StoredCall } from "@voxbus/protocol";
import { firstRequestId, type McpClient } from "./mcp-client.ts";
import { readResult } from "./tool-result.ts";
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

/** The maximum number of calls in one turn, those of earlier attempts included. */
export const maxCallsPerTurn = 64;
const controlsRead = 64;

/** Creates the calls, which are kept in the bucket `tool-calls`. */
export function createToolCalls(bus: Bus, client: McpClient): ToolCalls {
  const bucket = bus.bucket(buckets.toolCalls);

  /** Stores a new call. Gives the one that is stored already, if any. */
  const create = async (id: string, call: StoredCall): Promise<StoredCall | undefined> => {
    let found: StoredCall | undefined;
    await bucket.modify(id, (stored) => {
      found = stored;
      return stored === undefined ? call : undefined;
    });
    return found;
  };

  return {
    async make(turn, { index, name, args }, signal) {
      const { device, session, origin } = turn;
      const id = `${session}.${origin}.${index}`;
      const requestId = (origin * maxCallsPerTurn + index) % firstRequestId;
      const record = { name, args: JSON.stringify(args) };
      const expected = client.expect(session, requestId, signal);
      try {
        const found = await create(id, record);
        if (found === undefined) {
          client.send(turn, { id: requestId, method: "tools/call", params: { name, arguments: args } });
          const text = readResult(await expected.answer);
          // For a successor of this turn, unless the call was removed in the meantime.
          await bucket.modify(id, (stored) => stored && { ...stored, text });
          return text;
        }
        if (found.name !== name || found.args !== record.args) return undefined;
        if (found.text !== undefined) return found.text;
        // The worker that made the call may be gone. The answer may then be in the stream.
        const controls = await bus.stored(channels.inControl(device), controlsRead, signal);
        for (const frame of controls.messages) client.handle(frame);
        return readResult(await expected.answer);
      } finally {
        expected.close();
      }
    },
  };
}

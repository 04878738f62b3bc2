import type { DialogueTurn } from "@voxbus/protocol";
import { ToolError, type AnswerRequest, type PastCall } from "./engines/engine.ts";
import type { History } from "./history.ts";
import type { TurnInput } from "./turn-input.ts";

/** The record of a turn for the history. */
export interface TurnRecord {
  /** The stored sentences, by number. Those that are no part of the answer are empty. */
  readonly said: string[];
  /** Gives the request with tools whose calls are recorded. The turn's text is the request's from now on. */
  follow(request: AnswerRequest): AnswerRequest;
  /**
   * Writes the turn into the history, once. The part that was heard is known later (played-turns.ts). `end` tells that the
   * answer is not whole. Rejected speech is not kept, because its words are unknown.
   */
  keep(end?: DialogueTurn["end"]): Promise<void>;
}

/** Creates the record of a turn. */
export function createTurnRecord(history: History, { device, session, origin, text }: TurnInput): TurnRecord {
  const said: string[] = [];
  const calls: PastCall[] = [];
  let user = text;
  let kept = false;
  return {
    said,
    follow(request) {
      user = request.text;
      const { tools } = request.device;
      return { ...request, device: { ...request.device, tools: { ...tools, call: recordCalls(tools.call, calls) } } };
    },
    async keep(end) {
      if (kept || user === "") return;
      kept = true;
      await history.add(device, { session, origin, at: Date.now(), user, calls, said: [...said], end });
    },
  };
}

/** Calls a tool and records the call, also if its result does not come in time. */
function recordCalls(call: AnswerRequest["device"]["tools"]["call"], calls: PastCall[]): typeof call {
  return async (name, args, signal) => {
    const made = { name, args: JSON.stringify(args), text: "The call was made. Its result did not come in time." };
    calls.push(made);
    try {
      return (made.text = await call(name, args, signal));
    } catch (error) {
      if (error instanceof ToolError) made.text = `Error: ${error.message}`;
      throw error;
    }
  };
}

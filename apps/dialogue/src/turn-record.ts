import type { DialogueTurn } from "@voxbus/protocol";
import { ToolError, type AnswerRequest, type PastCall } from "./engines/engine.ts";
import { UnfinishedCallError } from "./tools/call-error.ts";
import { lateResult } from "./history.ts";
import type { TurnDeps } from "./turn-deps.ts";
import type { TurnInput } from "./turn-input.ts";

/** The record of a turn for the history. */
export interface TurnRecord {
  /** The stored sentences, by number. Those that are no part of the answer are empty. */
  readonly said: string[];
  /** The name of the engine that answers; undefined before its first sentence. */
  engine: string | undefined;
  /** Gives the request with tools whose calls are recorded. The turn's text is the request's from now on. */
  follow(request: AnswerRequest): AnswerRequest;
  /**
   * Writes the turn into the history, once. The part that was heard is known later (played-turns.ts). `end` tells that the
   * answer is not whole. Rejected speech is not kept, because its words are unknown.
   */
  keep(end?: DialogueTurn["end"]): Promise<void>;
}

/** Creates the record of a turn. */
export function createTurnRecord(
  { history, late }: Pick<TurnDeps, "history" | "late">,
  { device, session, origin, text }: TurnInput,
): TurnRecord {
  const said: string[] = [];
  const calls: PastCall[] = [];
  let user = text;
  let kept = false;
  // A result that comes after the end of its turn belongs to the turn nevertheless.
  const followLate = (result: Promise<unknown>) => {
    const store = () => (kept ? history.add(device, { session, origin, calls: [...calls] }) : undefined);
    late.follow(result.then(store));
  };
  const record: TurnRecord = {
    said,
    engine: undefined,
    follow(request) {
      user = request.text;
      const { tools } = request.device;
      const call = recordCalls(tools.call, calls, followLate);
      return { ...request, device: { ...request.device, tools: { ...tools, call } } };
    },
    async keep(end) {
      if (kept || user === "") return;
      kept = true;
      const { engine } = record;
      const made = [...calls];
      await history.add(device, { session, origin, at: Date.now(), user, calls: made, said: [...said], end, engine });
    },
  };
  return record;
}

/** Calls a tool and records the call, also if its result does not come in time. Gives a result that may come later to `followLate`. */
function recordCalls(
  call: AnswerRequest["device"]["tools"]["call"],
  calls: PastCall[],
  followLate: (result: Promise<unknown>) => void,
): typeof call {
  return async (name, args, signal) => {
    const made = { name, args: JSON.stringify(args), text: lateResult };
    calls.push(made);
    try {
      return (made.text = await call(name, args, signal));
    } catch (error) {
      if (error instanceof UnfinishedCallError) {
        followLate(error.rest.then((text) => (made.text = text)));
      } else if (error instanceof ToolError) made.text = `Error: ${error.message}`;
      throw error;
    }
  };
}

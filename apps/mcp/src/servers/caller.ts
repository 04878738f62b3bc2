import { nameCause, type Log } from "@voxbus/subscriber";
import type { ServerConnection } from "./connection.ts";
import { ServerBusyError, ServerLostError, ServerRefusedError, ServerTimeoutError } from "./errors.ts";

/** How a call ended. */
export type CallOutcome = (typeof callOutcomes)[number];
export const callOutcomes = ["done", "failed", "refused", "timeout", "lost", "busy", "canceled"] as const;

/** Counts the calls. Times are in ms. */
export interface CallMetrics {
  called(server: string, outcome: CallOutcome, ms: number): void;
}

/** The calls to one server. */
export interface Caller {
  /** Calls a tool by its name at the server. Throws one of the server's errors, or the signal's reason. */
  call(tool: string, args: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<string>;
  /** True while a call is in progress. */
  busy(): boolean;
}

/** Creates the calls to a server: at most `most` at the same time. `connection` gives the one that stands now. */
export function createCaller(
  server: string,
  parts: {
    readonly most: number;
    readonly connection: () => ServerConnection | undefined;
    readonly metrics: CallMetrics;
    readonly log: Log;
  },
): Caller {
  const { most, connection, metrics, log } = parts;
  let calls = 0;

  const pass: Caller["call"] = async (tool, args, signal) => {
    if (calls >= most) throw new ServerBusyError("the tool is busy, try again later");
    const current = connection();
    if (current === undefined) throw new ServerLostError("the tool's server is not connected");
    calls += 1;
    try {
      const { text, failed } = await current.call(tool, args, signal);
      if (failed) throw new ServerRefusedError(text);
      return text;
    } finally {
      calls -= 1;
    }
  };
  return {
    async call(tool, args, signal) {
      const began = performance.now();
      let outcome: CallOutcome = "done";
      try {
        return await pass(tool, args, signal);
      } catch (error) {
        outcome = signal.aborted ? "canceled" : outcomeOf(error);
        // A refusal's text may quote what people said.
        log.info({ server, tool, outcome, cause: nameCause(error) }, "MCP call failed");
        throw error;
      } finally {
        metrics.called(server, outcome, performance.now() - began);
      }
    },
    busy: () => calls > 0,
  };
}

function outcomeOf(error: unknown): CallOutcome {
  if (error instanceof ServerTimeoutError) return "timeout";
  if (error instanceof ServerBusyError) return "busy";
  if (error instanceof ServerLostError) return "lost";
  return error instanceof ServerRefusedError ? "refused" : "failed";
}

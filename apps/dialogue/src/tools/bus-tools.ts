import { trace } from "@opentelemetry/api";
import { BusAwayError, NoResponderError, traceOf, type Bus } from "@voxbus/bus";
import { channels, maxToolMs, type Profile, type ToolCall } from "@voxbus/protocol";
import type { TurnId } from "@voxbus/subscriber";
import { ToolError } from "../engines/engine.ts";
import type { BusTool } from "./bus-tool.ts";
import { explainFailure, UnfinishedCallError, type CallFailure, type FailedCall } from "./call-error.ts";
import { createCallLimit, type MostCalls } from "./call-limit.ts";
import type { CallRecords, PlacedCall } from "./call-records.ts";
import type { ToolDirectory } from "./directory.ts";
import { allowsTool } from "./tool-table.ts";
import type { ToolSource } from "./turn-tools.ts";

/** One call, for the measurements. */
export interface CallRun {
  readonly tool: string;
  readonly outcome: "done" | CallFailure;
  readonly ms: number;
}

/** Dependencies and limits of calls. */
export interface BusToolDeps {
  readonly bus: Bus;
  readonly directory: ToolDirectory;
  readonly records: CallRecords;
  /** The longest time that a call may take, ms. */
  readonly timeoutMs: number;
  /** Calls that may run at once in this process. */
  readonly most: MostCalls;
  readonly onCall: (run: CallRun) => void;
}

/** The user of a turn, as a tool learns it. */
export interface Caller {
  readonly language: string;
  readonly profile: Profile;
}

/** The tools that programs on the bus offer, as turns call them. */
export interface BusTools {
  /** Gives the tools that a turn's device is offered. */
  sourceOf(turn: TurnId, caller: Caller): ToolSource;
}

/** The most characters of a result. */
const maxText = 16_384;
/** The time by which the wait for an answer outlasts that for its call, ms, so that the call ends the wait. */
const graceMs = 1000;
/** A program that is found within this time of the beginning of a call may have got it, ms: it is not found at once. */
const foundMs = 500;
/** How often the programs of a running call are tested, ms. */
const checkMs = 1000;

/** Creates access to the tools in a directory. */
export function createBusTools(deps: BusToolDeps): BusTools {
  const { directory, records, most, onCall } = deps;
  const limit = createCallLimit(most);
  return {
    sourceOf(turn, caller) {
      const list = directory.offeredTo(caller.profile);
      return {
        list,
        // A program may have been replaced by another version since, also one for other groups.
        admit(name, args) {
          const refuse = (outcome: CallFailure, message: string): never => {
            onCall({ tool: name, outcome, ms: 0 });
            throw new ToolError(message);
          };
          const tool = directory.find(name);
          if (tool === undefined || !allowsTool(caller.profile, tool))
            return refuse("unanswered", `no program offers the tool "${name}" now`);
          const problem = tool.check(args);
          if (problem !== undefined) refuse("bad-arguments", `the arguments do not fit: ${problem}`);
          return limit.enter(name, tool.program) ?? refuse("busy", `the tool "${name}" is busy`);
        },
        async make(call, leave, signal) {
          const tool = directory.find(call.name) ?? list.find(({ name }) => name === call.name);
          const isNew = call.text === undefined && !call.isMade && tool !== undefined;
          if (isNew && signal?.aborted !== true) return callTool(deps, { turn, caller, call, tool, leave }, signal);
          leave();
          if (isNew) {
            onCall({ tool: call.name, outcome: "cancelled", ms: 0 });
            return records.giveUp(turn, call.index);
          }
          if (call.text !== undefined) return call.text;
          throw new ToolError("the call was made before, and its result was lost");
        },
      };
    },
  };
}

/** A call that is to be made. */
interface BusCall {
  readonly turn: TurnId;
  readonly caller: Caller;
  readonly call: PlacedCall;
  readonly tool: BusTool;
  /** Gives back the place of the call among those that run. */
  readonly leave: () => void;
}

/**
 * Makes a call and resolves with its text. At the end of its time, or of its turn, the call is cancelled; an action that
 * finishes goes on, and this throws UnfinishedCallError. Throws ToolError.
 */
async function callTool(deps: BusToolDeps, one: BusCall, signal?: AbortSignal): Promise<string> {
  const { directory, timeoutMs } = deps;
  const { turn, call, tool } = one;
  const { name, index } = call;
  const ended = new AbortController();
  const detached = new AbortController();
  const ms = Math.min(tool.timeoutMs, timeoutMs);
  const began = performance.now();
  const result = requestResult(deps, one, ms, ended.signal);
  const stop = (outcome: CallFailure, message: string) => {
    const failure: FailedCall = { outcome, error: new ToolError(message) };
    if (outcome === "lost") return ended.abort(failure);
    if (tool.finishes) return detached.abort(message);
    ended.abort(failure);
    return cancelCall(deps.bus, name, idOf(turn, index));
  };
  const late = setTimeout(() => stop("late", `the tool "${name}" did not answer within ${ms} ms`), ms);
  const abort = () => stop("cancelled", "the turn has ended");
  const checks = setInterval(() => directory.check(name), checkMs);
  const lost = directory.onLost((gone, others) => {
    if (gone === name && others > began + foundMs) stop("lost", `the program of the tool "${name}" has ended`);
  });
  signal?.addEventListener("abort", abort);
  const close = () => lost.close();
  result.then(close, close);
  try {
    const settled = await Promise.race([result, whenAborted(detached.signal)]);
    if (settled === undefined) {
      const rest = result.then(({ text }) => text);
      throw new UnfinishedCallError(`${String(detached.signal.reason)}; its action goes on`, rest);
    }
    if (settled.error !== undefined) throw settled.error;
    return settled.text;
  } finally {
    clearTimeout(late);
    clearInterval(checks);
    signal?.removeEventListener("abort", abort);
  }
}

/** The end of a call: its text, which is that of the error if it failed. */
interface CallResult {
  readonly text: string;
  readonly error?: ToolError;
}

/** Sends a call, and stores and measures its end. */
async function requestResult(deps: BusToolDeps, one: BusCall, ms: number, ended: AbortSignal): Promise<CallResult> {
  const { bus, directory, records, onCall } = deps;
  const { turn, call, tool, leave } = one;
  const { name, index } = call;
  const began = performance.now();
  const span = trace.getActiveSpan();
  span?.setAttribute("gen_ai.tool.call.id", idOf(turn, index));
  let failure: FailedCall | undefined;
  let text = "";
  try {
    const options = { timeoutMs: tool.finishes ? maxToolMs : ms + graceMs, trace: span ? traceOf(span) : {} };
    const answer = await bus.request(channels.tool(name), describeCall(one, bus.now() + ms), options, ended);
    text = shorten(answer.text);
  } catch (error) {
    if (error instanceof NoResponderError) directory.unanswered(name);
    failure = error === ended.reason ? (ended.reason as FailedCall) : explainFailure(name, error);
    text = `Error: ${failure.error.message}`;
  } finally {
    leave();
    onCall({ tool: name, outcome: failure?.outcome ?? "done", ms: performance.now() - began });
  }
  span?.setAttribute("voxbus.tool.outcome", failure?.outcome ?? "done");
  await records.finish(turn, index, text);
  return failure === undefined ? { text } : { text, error: failure.error };
}

function describeCall({ turn, caller, call }: BusCall, deadline: number): ToolCall {
  const { device, session, origin } = turn;
  const { language, profile } = caller;
  const args = { ...call.args };
  return { id: idOf(turn, call.index), device, session, origin, args, language, timeZone: profile.timeZone, deadline };
}

function idOf({ session, origin }: TurnId, index: number): string {
  return `${session}:${origin}:${index}`;
}

function shorten(text: string): string {
  if (text.trim() === "") return "done";
  if (text.length <= maxText) return text;
  return `${text.slice(0, maxText).toWellFormed()} … (${text.length - maxText} more characters were left out)`;
}

function cancelCall(bus: Bus, name: string, id: string): void {
  try {
    bus.publish(channels.toolCancel(name), { id });
  } catch (error) {
    if (!(error instanceof BusAwayError)) throw error;
  }
}

function whenAborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
}

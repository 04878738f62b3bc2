import { BusAwayError, NoResponderError, RefusedError } from "@voxbus/bus";
import { ProtocolError } from "@voxbus/protocol";
import { RefusedToolError, ToolError } from "../engines/engine.ts";

/** The ways in which a call of a program's tool ends without a result. */
export type CallFailure = (typeof callFailures)[number];
export const callFailures = [
  "refused",
  "failed",
  "late",
  "cancelled",
  "unanswered",
  "lost",
  "bad-answer",
  "busy",
  "bad-arguments",
] as const;

/** Why a call has no result, as a measurement and as an error for the model. */
export interface FailedCall {
  readonly outcome: CallFailure;
  readonly error: ToolError;
}

/** A call whose action goes on after the wait for it has ended. `rest` resolves with its result, or with its error as a text. */
export class UnfinishedCallError extends ToolError {
  override readonly name = "UnfinishedCallError";
  readonly rest: Promise<string>;

  constructor(message: string, rest: Promise<string>) {
    super(message);
    this.rest = rest;
  }
}

/** Explains why a request to a tool has no result. Throws what is not the tool's fault. */
export function explainFailure(tool: string, cause: unknown): FailedCall {
  const fail = (outcome: CallFailure, message: string): FailedCall => {
    return { outcome, error: new ToolError(message, { cause }) };
  };
  if (cause instanceof NoResponderError) return fail("unanswered", `no program offers the tool "${tool}" now`);
  if (cause instanceof BusAwayError) return fail("failed", `the tool "${tool}" cannot be reached`);
  if (cause instanceof ProtocolError) return fail("bad-answer", `the answer of the tool "${tool}" is not valid`);
  if (!(cause instanceof RefusedError)) throw cause;
  if (cause.code === 503) return fail("busy", `the tool "${tool}" is busy`);
  if (cause.reason === "handler-failed") return fail("failed", `the tool "${tool}" failed`);
  // The reason may quote what people said.
  return { outcome: "refused", error: new RefusedToolError(`the tool refused: ${cause.reason}`) };
}

import { SseError } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPError } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ErrorCode, McpError } from "@modelcontextprotocol/sdk/types.js";
import { nameCause } from "@voxbus/subscriber";
import { MessageTooLargeError } from "./bounded-fetch.ts";

/** Thrown when a server is given up: its process ended, it broke a limit, or it no longer answers. */
export class ServerLostError extends Error {
  override readonly name = "ServerLostError";
}

/** Thrown when a server refuses a call. The message is the server's own, and may quote the arguments. */
export class ServerRefusedError extends Error {
  override readonly name = "ServerRefusedError";
}

/** Thrown when a server does not answer in time. */
export class ServerTimeoutError extends Error {
  override readonly name = "ServerTimeoutError";
}

/** Thrown when a server has as many calls in progress as it may have. */
export class ServerBusyError extends Error {
  override readonly name = "ServerBusyError";
}

/** Tells whether an error is one of these, whose message is for the model. */
export function isServerError(error: unknown): error is Error {
  const kinds = [ServerLostError, ServerRefusedError, ServerTimeoutError, ServerBusyError];
  return kinds.some((kind) => error instanceof kind);
}

const maxLength = 500;
/** The statuses of a server that does not know this client, or no longer. */
const lostStatuses = [401, 403, 404, 410];

/** The names of errors about an answer that came, and cannot be used. */
const unusable = ["SyntaxError", "RangeError", "ZodError", "$ZodError"];

/** Turns the SDK's error of a request into one of the errors above. The connection stands, and the time is not over. */
export function explainFailure(error: unknown): Error {
  const refuse = (reason: string) => new ServerRefusedError(reason, { cause: error });
  if (error instanceof McpError)
    return refuse(error.message.replace(/^(?:MCP error -?\d+: )+/, "").slice(0, maxLength));
  const status = error instanceof StreamableHTTPError ? (error.code ?? -1) : undefined;
  if (status === -1 || (error instanceof Error && unusable.includes(error.name)))
    return refuse("the server's answer cannot be used");
  if (status !== undefined && !lostStatuses.includes(status)) return refuse(`the server answered HTTP ${status}`);
  return new ServerLostError("the server could not be reached", { cause: error });
}

/** Names the reason of a failure for the log. A server's own text is left out: it may quote what people said, or a secret. */
export function nameReason(error: unknown): string {
  if (error instanceof ServerLostError && error.cause !== undefined)
    return `${error.message}: ${nameReason(error.cause)}`;
  if (
    error instanceof ServerLostError ||
    error instanceof ServerTimeoutError ||
    error instanceof MessageTooLargeError
  ) {
    return error.message;
  }
  if (error instanceof ServerRefusedError && error.cause !== undefined) return nameReason(error.cause);
  if (error instanceof McpError) {
    return error.code === (ErrorCode.ConnectionClosed as number) ? "the connection ended" : `MCP error ${error.code}`;
  }
  const isHttp = error instanceof StreamableHTTPError || error instanceof SseError;
  return isHttp && (error.code ?? -1) > 0 ? `HTTP ${error.code}` : nameCause(error);
}

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

/** Turns the SDK's error of a call into one of the errors above. */
export function explainFailure(error: unknown, timeoutMs: number): Error {
  if (error instanceof McpError) {
    if (error.code === (ErrorCode.RequestTimeout as number)) {
      return new ServerTimeoutError(`the tool did not answer within ${timeoutMs} ms`, { cause: error });
    }
    if (error.code === (ErrorCode.ConnectionClosed as number)) {
      return new ServerLostError("the server ended during the call", { cause: error });
    }
    return new ServerRefusedError(error.message.replace(/^MCP error -?\d+: /, "").slice(0, maxLength), {
      cause: error,
    });
  }
  const status = error instanceof StreamableHTTPError ? (error.code ?? -1) : -1;
  if (status > 0 && !lostStatuses.includes(status)) {
    return new ServerRefusedError(`the server answered HTTP ${status}`, { cause: error });
  }
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

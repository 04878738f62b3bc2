import type { Bus } from "@voxbus/bus";
import {
  channels,
  fitsDevice,
  maxDeviceTextBytes,
  parseJson,
  splitObject,
  type InControlFrame,
  type OutTextFrame,
} from "@voxbus/protocol";
import { RefusedCallError, ToolCallError } from "./tool-errors.ts";

/** A session of a device that has an MCP server. */
export interface McpSession {
  readonly device: string;
  readonly session: string;
}

/** A JSON-RPC request to a device. */
export interface McpRequest {
  readonly id: number;
  readonly method: string;
  readonly params: object;
}

/** An answer that is expected from a device. */
export interface ExpectedAnswer {
  /** Resolves with the result. Rejects with ToolCallError if the device refuses, or does not answer in time. */
  readonly answer: Promise<unknown>;
  /** Ends the wait. */
  close(): void;
}

/** The client of the devices' own MCP servers (docs/protocol.md, device MCP). */
export interface McpClient {
  /**
   * Handles a control frame of any device. An MCP answer settles the request that it belongs to; without such a request
   * it is not parsed.
   */
  handle(frame: InControlFrame): void;
  /** Waits for the answer to request `id` of a session. Close it in the end. */
  expect(session: string, id: number, signal?: AbortSignal): ExpectedAnswer;
  /** Sends a request without waiting for its answer. Throws ToolCallError if it is longer than devices take. */
  send(to: McpSession, request: McpRequest): void;
  /** Sends a request and resolves with its result. Throws ToolCallError, also when `signal` aborts. */
  request(to: McpSession, request: Omit<McpRequest, "id">, signal?: AbortSignal): Promise<unknown>;
}

/** JSON-RPC ids of devices are int32. Ids of tool calls are below this number, those of other requests are not. */
export const firstRequestId = 2 ** 30;

interface Waiter {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Creates the client. A device that does not answer within `timeoutMs` has failed. */
export function createMcpClient(bus: Bus, { timeoutMs }: { readonly timeoutMs: number }): McpClient {
  /** The open requests of each session, by the id as devices write it. */
  const waiting = new Map<string, Map<string, Waiter>>();

  const expect: McpClient["expect"] = (session, id, signal) => {
    const requests = waiting.get(session) ?? new Map<string, Waiter>();
    waiting.set(session, requests);
    const { promise, resolve, reject } = createDeferred();
    const abort = () => reject(new ToolCallError("the request to the device was aborted", { cause: signal?.reason }));
    const late = () => reject(new ToolCallError(`the device did not answer within ${timeoutMs} ms`));
    const timer = setTimeout(late, timeoutMs);
    const waiter = { resolve, reject };
    requests.set(`${id}`, waiter);
    signal?.addEventListener("abort", abort);
    if (signal?.aborted === true) abort();
    return {
      answer: promise,
      close() {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        if (requests.get(`${id}`) === waiter) requests.delete(`${id}`);
        if (requests.size === 0 && waiting.get(session) === requests) waiting.delete(session);
      },
    };
  };

  const send: McpClient["send"] = ({ device, session }, request) => {
    const frame: OutTextFrame = {
      session,
      kind: "text",
      body: { type: "mcp", payload: JSON.stringify({ jsonrpc: "2.0", ...request }) },
    };
    if (!fitsDevice(frame.body))
      throw new ToolCallError(`the request has over ${maxDeviceTextBytes} bytes, more than the device takes`);
    bus.publish(channels.out(device), frame);
  };

  return {
    handle({ session, body }) {
      const requests = body.type === "mcp" ? waiting.get(session) : undefined;
      if (body.type !== "mcp" || requests === undefined) return;
      const waiter = requests.get(readId(body.payload));
      const answer = waiter && parseJson(body.payload);
      if (waiter === undefined || typeof answer !== "object" || answer === null) return;
      const { method, error, result }: { method?: unknown; error?: unknown; result?: unknown } = answer;
      const refusal = readError(error);
      if (refusal !== undefined) waiter.reject(new RefusedCallError(`the device refused: ${refusal}`));
      // A request of the device may have the same id.
      else if (typeof method !== "string" || result !== undefined) waiter.resolve(result);
    },
    expect,
    send,
    async request(to, { method, params }, signal) {
      const id = firstRequestId + Math.floor(Math.random() * (firstRequestId - 1));
      const expected = expect(to.session, id, signal);
      try {
        signal?.throwIfAborted();
        send(to, { id, method, params });
        return await expected.answer;
      } finally {
        expected.close();
      }
    },
  };
}

/** Reads the id of a JSON-RPC message without parsing the rest; empty if it has no id. Some devices write it as a text. */
function readId(payload: string): string {
  try {
    return splitObject(payload)?.get("id")?.replaceAll('"', "") ?? "";
  } catch {
    return "";
  }
}

/** Reads the message of an error; undefined if there is no error, which some devices write as null or as an empty value. */
function readError(error: unknown): string | undefined {
  if (error === undefined || error === null || error === false || error === "") return undefined;
  if (typeof error !== "object") return JSON.stringify(error).replaceAll('"', "");
  if (Object.keys(error).length === 0) return undefined;
  const { message }: { message?: unknown } = error;
  return typeof message === "string" ? message : JSON.stringify(error);
}

function createDeferred() {
  let resolve: (result: unknown) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<unknown>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // It may reject before, or without, a reader.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

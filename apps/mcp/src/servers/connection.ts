import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { RequestOptions } from "@modelcontextprotocol/sdk/shared/protocol.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import type { Log } from "@voxbus/subscriber";
import { explainFailure, nameReason, ServerLostError, ServerTimeoutError } from "./errors.ts";
import type { ServerSettings } from "./servers-file.ts";
import { followStderr } from "./stderr-log.ts";
import { readToolList, ToolPage, type McpToolList } from "./tool-list.ts";
import { CallResult, readResult, type ToolText } from "./tool-result.ts";
import { createTransport } from "./transports.ts";

/** The time by which the SDK waits longer than a request may take, ms. */
const graceMs = 1000;
const maxMessages = 2000;
const floodMs = 10_000;
const quietMs = 60_000;

/** The initialized connection to one server, until it is closed or lost. */
export interface ServerConnection {
  /** The name and the version that the server gives. */
  readonly version: string;
  /** Reads the tools. Throws if the server does not answer within the start's time. */
  list(most: number): Promise<McpToolList>;
  /**
   * Calls a tool. An abort is passed on to the server. Throws ServerTimeoutError, ServerRefusedError, ServerLostError, or the
   * signal's reason.
   */
  call(name: string, args: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<ToolText>;
  /** Resolves with the reason when the connection has ended, whatever ended it. */
  readonly lost: Promise<Error>;
  /** Ends the connection, and the process of a server that this one started. */
  close(): Promise<void>;
}

/** Dependencies of a connection. */
export interface ConnectionDeps {
  readonly log: Log;
  /** Longest time until the server is initialized, and until it has listed its tools, ms. */
  readonly startMs: number;
  /** Called when the server says that its list of tools has changed. */
  readonly changed: () => void;
}

/** Connects to a server and initializes it. Rejects if that takes longer than `startMs`. */
export async function connectServer(
  settings: ServerSettings,
  { log, startMs, changed }: ConnectionDeps,
  signal: AbortSignal,
): Promise<ServerConnection> {
  const { name: server, address, secrets, timeoutMs } = settings;
  const client = new Client({ name: "voxbus", version: "1" }, { capabilities: {} });
  const ending = createEnding(() => closeBoth(client, transport));
  const { transport, stderr: output, spare } = createTransport(address, (error) => void ending.end(error));
  guardMessages(transport, { server, log, ending });
  const show = (line: string) => log.info({ server, line }, "server wrote to standard error");
  const stderr = output && followStderr(output, { secrets, show });
  client.setNotificationHandler(ToolListChangedNotificationSchema, changed);

  const abort = () => {
    spare();
    void ending.end(signal.reason as Error);
  };
  signal.addEventListener("abort", abort, { once: true });
  const late = setTimeout(() => {
    void ending.end(new ServerTimeoutError(`not initialized within ${startMs} ms`));
  }, startMs);
  try {
    signal.throwIfAborted();
    // The transport's own start has no deadline.
    await Promise.race([client.connect(transport, { timeout: startMs }), ending.rejected]);
  } catch (error) {
    await ending.end(error as Error);
    // The first reason: the SDK's error may be a consequence of it.
    throw await ending.ended;
  } finally {
    clearTimeout(late);
  }
  // Before, it would hide the reason for which the SDK closes a connection that it cannot initialize.
  client.onclose = () => void ending.end(new ServerLostError("the connection ended"));
  const ask = createAsker(ending);
  const { name = "", version = "" } = client.getServerVersion() ?? {};
  return {
    version: `${name} ${version}`.trim().slice(0, 100),
    list: (most) =>
      ask(
        (options) => readToolList((request) => client.request(request, ToolPage, options), most),
        startMs,
        ending.signal,
      ),
    async call(name, args, callSignal) {
      stderr?.hush();
      const request = { method: "tools/call", params: { name, arguments: { ...args } } } as const;
      const read = async (options: RequestOptions) => readResult(await client.request(request, CallResult, options));
      try {
        return await ask(read, timeoutMs, callSignal);
      } catch (error) {
        if (error instanceof ServerLostError) void ending.end(error);
        throw error;
      }
    },
    lost: ending.ended,
    async close() {
      signal.removeEventListener("abort", abort);
      spare();
      await ending.end(new ServerLostError("closed"));
    },
  };
}

/** The end of a connection: it comes once, for the first reason that is given. */
interface Ending {
  readonly ended: Promise<Error>;
  /** Rejects with the reason of the end. */
  readonly rejected: Promise<never>;
  /** Aborted with the reason of the end. */
  readonly signal: AbortSignal;
  /** Resolves when the connection is closed. */
  end(reason: Error): Promise<void>;
}

function createEnding(close: () => Promise<void>): Ending {
  const stopped = new AbortController();
  let resolveEnded: (reason: Error) => void = () => undefined;
  const ended = new Promise<Error>((resolve) => (resolveEnded = resolve));
  const rejected = ended.then((reason) => Promise.reject(reason));
  rejected.catch(() => undefined);
  let resolveClosed: (closed: Promise<void>) => void = () => undefined;
  const closed = new Promise<void>((resolve) => (resolveClosed = resolve));
  return {
    ended,
    rejected,
    signal: stopped.signal,
    end(reason: Error): Promise<void> {
      if (!stopped.signal.aborted) {
        stopped.abort(reason);
        resolveEnded(reason);
        resolveClosed(close());
      }
      return closed;
    },
  };
}

/** Sends a request. Throws the signal's reason, or one of the server's errors. */
type Ask = <T>(send: (options: RequestOptions) => Promise<T>, timeoutMs: number, signal: AbortSignal) => Promise<T>;

/**
 * Creates the requests of a connection. The SDK names an end and a timeout of its own by codes that a server may send too, and never
 * removes its listener from a signal. So each request has its own signal and timer.
 */
function createAsker(ending: Ending): Ask {
  return async (send, timeoutMs, signal) => {
    const control = new AbortController();
    const stop = () => control.abort(signal.reason);
    const expire = () => control.abort(new ServerTimeoutError(`the server did not answer within ${timeoutMs} ms`));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    const timer = setTimeout(expire, timeoutMs);
    try {
      return await send({ signal: control.signal, timeout: timeoutMs + graceMs });
    } catch (error) {
      control.signal.throwIfAborted();
      if (!ending.signal.aborted) throw explainFailure(error);
      throw new ServerLostError("the server ended during the call", { cause: ending.signal.reason });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
  };
}

async function closeBoth(client: Client, transport: Transport): Promise<void> {
  // A client that never connected does not close its transport.
  await Promise.allSettled([client.close(), transport.close()]);
}

/** Counts what a server sends, and gives it up beyond 2000 messages in 10 s. Errors of the transport are logged once a minute. */
function guardMessages(
  transport: Transport,
  { server, log, ending }: { readonly server: string; readonly log: Log; readonly ending: Ending },
): void {
  let count = 0;
  let since = performance.now();
  let errors = 0;
  let loggedAt = -Infinity;
  const add = () => {
    const now = performance.now();
    if (now - since > floodMs) [count, since] = [0, now];
    count += 1;
    if (count > maxMessages) void ending.end(new ServerLostError(`more than ${maxMessages} messages in ${floodMs} ms`));
  };
  transport.onmessage = add;
  transport.onerror = (error) => {
    add();
    errors += 1;
    if (ending.signal.aborted || performance.now() - loggedAt < quietMs) return;
    loggedAt = performance.now();
    log.warn({ server, reason: nameReason(error), count: errors }, "transport failed");
    errors = 0;
  };
}

import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "@voxbus/subscriber";
import { connectServer, type ServerConnection } from "./connection.ts";
import { nameReason } from "./errors.ts";
import type { ServerSettings } from "./servers-file.ts";
import type { McpToolList } from "./tool-list.ts";

/** Limits of the supervision of every server. Times are in ms. */
export interface SupervisorLimits {
  /** Longest time until a server is initialized, and until it has listed its tools. */
  readonly startMs: number;
  /** Time between two looks at a server's tools, which also show whether it still answers. */
  readonly refreshMs: number;
  /** The most tools of one server. */
  readonly tools: number;
}

/** Told of a server's tools, and of its end. */
export interface SupervisorEvents {
  /**
   * The server has these tools now. Called again whenever it lists them, also if nothing has changed. Returns the number of those
   * that are offered, and of all that it lists.
   */
  tools(connection: ServerConnection, list: McpToolList): { readonly tools: number; readonly listed: number };
  /** The server is gone, and with it all its tools. */
  lost(): void;
  /** True while a call to the server is in progress. It may keep the server from answering anything else. */
  busy(): boolean;
}

/** A server that is connected again whenever it is lost. */
export interface SupervisedServer {
  readonly name: string;
  connected(): boolean;
  /** The number of times that it was connected again. */
  restarts(): number;
  close(): Promise<void>;
}

const firstWaitMs = 1000;
const longestWaitMs = 60_000;
/** A connection that lasted as long as this ends the row of failures. */
const steadyMs = 60_000;
/** Shortest time between two lists that the server asks for. */
const leastRefreshMs = 1000;

/** Connects to a server, and again 1 s after it was lost; after each further failure in a row it waits twice as long, at most 60 s. */
export function superviseServer(
  settings: ServerSettings,
  deps: { readonly log: Log; readonly limits: SupervisorLimits; readonly events: SupervisorEvents },
): SupervisedServer {
  const { name: server } = settings;
  const { log } = deps;
  const stopping = new AbortController();
  let isConnected = false;
  let connections = 0;

  const serve = async (): Promise<void> => {
    const connection = await openConnection(settings, deps, stopping.signal, () => {
      isConnected = true;
      connections += 1;
    });
    const reason = await connection.lost;
    await connection.close();
    if (!stopping.signal.aborted) log.warn({ server, reason: nameReason(reason) }, "server lost");
  };
  const run = async (): Promise<void> => {
    for (let failures = 0; !stopping.signal.aborted; failures += 1) {
      const began = performance.now();
      try {
        await serve();
      } catch (error) {
        if (stopping.signal.aborted) break;
        log.warn({ server, reason: nameReason(error) }, "server not connected, retrying");
      } finally {
        if (isConnected) deps.events.lost();
        isConnected = false;
      }
      if (performance.now() - began > steadyMs) failures = 0;
      const waitMs = Math.min(longestWaitMs, firstWaitMs * 2 ** Math.min(failures, 10));
      await delay(waitMs, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
    }
  };
  const running = run();
  return {
    name: server,
    connected: () => isConnected,
    restarts: () => Math.max(0, connections - 1),
    async close() {
      stopping.abort(new Error("the program stops"));
      await running;
    },
  };
}

/** Connects, lists the tools, and goes on listing them until the connection is lost. */
async function openConnection(
  settings: ServerSettings,
  { log, limits, events }: Parameters<typeof superviseServer>[1],
  signal: AbortSignal,
  opened: () => void,
): Promise<ServerConnection> {
  const { name: server } = settings;
  let wake: () => void = () => undefined;
  let isStale = false;
  const changed = () => {
    isStale = true;
    wake();
  };
  const connection = await connectServer(settings, { log, startMs: limits.startMs, changed }, signal);
  const refresh = async () => {
    isStale = false;
    return events.tools(connection, await connection.list(limits.tools));
  };
  try {
    const counts = await refresh();
    opened();
    log.info({ server, version: connection.version, ...counts }, "server connected");
  } catch (error) {
    await connection.close();
    throw error;
  }

  const ended = new AbortController();
  void connection.lost.then(() => ended.abort());
  const follow = async () => {
    while (!ended.signal.aborted) {
      const woken = new Promise<void>((resolve) => (wake = resolve));
      if (!isStale) await Promise.race([woken, pause(limits.refreshMs, ended.signal)]);
      if (ended.signal.aborted || (!isStale && events.busy())) continue;
      await refresh();
      await pause(Math.min(leastRefreshMs, limits.refreshMs), ended.signal);
    }
  };
  follow().catch((error: unknown) => {
    if (!ended.signal.aborted) log.warn({ server, reason: nameReason(error) }, "server tools not listed");
    return connection.close();
  });
  return connection;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal, ref: false }).catch(() => undefined);
}

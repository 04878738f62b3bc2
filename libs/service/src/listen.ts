import type { Server } from "node:http";
import type { AddressInfo, Server as NetServer } from "node:net";
import { Server as TlsServer } from "node:tls";
import type { Meter } from "@opentelemetry/api";
import { limitConnections, type ConnectionLimits } from "./connection-limits.ts";
import { readDescriptorLimit } from "./descriptors.ts";
import type { Log } from "./log.ts";
import { createProxies, type Proxies } from "./proxies.ts";
import { startAtZero } from "./start-at-zero.ts";

/** Thrown when an address cannot be listened on. The message names the variable to change. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/** Explains why an address cannot be listened on, by the code of the error. */
const problems: Readonly<Record<string, (options: Place) => string>> = {
  EADDRINUSE: ({ host, port, variable }) => `port ${port} on ${host} is taken: set ${variable} to another one`,
  EACCES: ({ port, variable }) => `port ${port} is for root only: set ${variable} to one above 1023`,
  EADDRNOTAVAIL: nameHost,
  EAFNOSUPPORT: nameHost,
  ENOTFOUND: nameHost,
  EAI_AGAIN: nameHost,
};

function nameHost({ host, variable }: Place): string {
  const hostVariable = variable.replace(/\w+_OPS_PORT$/, "VOXBUS_OPS_HOST").replace(/_PORT$/, "_HOST");
  return `${host} is not an address of this machine: set ${hostVariable} to one, such as 127.0.0.1, 0.0.0.0 or ::`;
}

/** Options of `createServer` with which no request and no idle connection holds a descriptor for long. */
export const serverTimes = {
  requestTimeout: 10_000,
  headersTimeout: 10_000,
  // Longer than common proxies keep theirs (75 s), so that none sends a request into a connection that ends here.
  keepAliveTimeout: 76_000,
  // Node checks the first two only now and then, by default every 30 s.
  connectionsCheckingInterval: 1000,
} as const;

/** Longest silence of a connection over HTTP, ms: longer than the wait for any answer. */
const silenceMs = 40_000;
/** Connections that wait to be accepted. In a flood, one that finds no place tries again only after a second. */
const backlog = 4096;
const usualLimits: ConnectionLimits = { total: 1024, perAddress: 128 };

/** Makes the counter of the connections that a listener drops, and gives the function that counts one. */
export function countDropped(meter: Meter, port: string): () => void {
  const description = "TCP connections dropped at a limit";
  const counter = startAtZero(meter.createCounter("voxbus_process_dropped_connections", { description }), {
    port: [port],
  });
  return () => counter.add(1, { port });
}

/** The place to listen. */
export interface Place {
  readonly host: string;
  readonly port: number;
  /** The variable that sets the port. That of the host has the same name with HOST; operations ports share one. */
  readonly variable: string;
}

/** Describes a listener. */
export interface ListenOptions extends Place {
  /** Open connections that it holds; default 1024, and 128 of one address. */
  readonly limits?: ConnectionLimits;
  /** The proxies whose connections count for no address. */
  readonly proxies?: Proxies;
  /** Called for each connection that is dropped because of a limit. */
  readonly dropped?: () => void;
  /** True if no other process of a cluster listens on the port too. */
  readonly exclusive?: boolean;
  readonly log?: Log;
}

/**
 * Starts to listen and returns the real address, `http://HOST:PORT`, or https with TLS. Open connections are limited, and a failed accept is
 * logged. Throws ListenError, which names the variable to change.
 */
export async function listen(server: Server, options: ListenOptions): Promise<string> {
  const { variable, limits = usualLimits, proxies = createProxies(), log } = options;
  const descriptors = readDescriptorLimit();
  const most = Math.max(16, Math.floor((descriptors * 7) / 8) - 128);
  if (limits.total > most) log?.warn({ descriptors, connections: most, variable }, "connections limited");
  const total = Math.min(limits.total, most);
  const makeRoom = limitConnections(server, {
    limits: { ...limits, total },
    proxies,
    dropped: options.dropped ?? (() => undefined),
  });
  server.setTimeout(silenceMs);
  await bindServer(server, { ...options, makeRoom });
  const { address, port: real, family } = server.address() as AddressInfo;
  const scheme = server instanceof TlsServer ? "https" : "http";
  return `${scheme}://${family === "IPv6" ? `[${address}]` : address}:${real}`;
}

/** Makes a ListenError of an error that an operator mends. Any other stays as it is. */
export function explainListenError(cause: unknown, place: Place): unknown {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const problem = problems[code]?.(place);
  return problem === undefined ? cause : new ListenError(problem, { cause });
}

/**
 * Starts to listen. A failed accept is logged, and `makeRoom` is called before the next. Throws ListenError, which names the
 * variable to change.
 */
export async function bindServer(
  server: NetServer,
  {
    makeRoom,
    log,
    exclusive,
    ...place
  }: Place & Pick<ListenOptions, "exclusive" | "log"> & { readonly makeRoom?: () => void },
): Promise<void> {
  const { host, port, variable } = place;
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: Error) => reject(explainListenError(cause, place));
    server.once("error", fail);
    server.listen({ host, port, backlog, exclusive }, () => {
      server.off("error", fail);
      resolve();
    });
  });
  let silentUntil = 0;
  // Without descriptors accepting fails again and again, and an unheard error would end the process.
  server.on("error", (err) => {
    makeRoom?.();
    if (performance.now() < silentUntil) return;
    silentUntil = performance.now() + 1000;
    log?.warn({ err, variable }, "accept failed");
  });
}

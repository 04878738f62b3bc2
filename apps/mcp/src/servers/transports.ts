import type { Readable } from "node:stream";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { createBoundedFetch } from "./bounded-fetch.ts";
import type { ServerAddress } from "./servers-file.ts";

/** The most bytes of one message of a server. */
export const maxMessageBytes = 4_194_304;

/** A transport, and the way to end it without patience. */
export interface ServerTransport {
  readonly transport: Transport;
  /** The standard error of a server that is a process of this one. */
  readonly stderr: Readable | undefined;
  /** Called before the transport is closed in order. Any other close kills the process of a server at once. */
  spare(): void;
}

/**
 * Creates the transport to a server. A message over 4 MiB closes a process, and is reported to `refused` over HTTP. A process
 * gets the variables of the file, and of this process only those such as PATH and HOME.
 */
export function createTransport(address: ServerAddress, refused: (error: Error) => void): ServerTransport {
  if (address.kind === "stdio") return createProcess(address);
  const { kind, url, headers } = address;
  const options = { fetch: createBoundedFetch(maxMessageBytes, refused), requestInit: { headers: { ...headers } } };
  const transport =
    kind === "sse" ? new SSEClientTransport(url, options) : new StreamableHTTPClientTransport(url, options);
  return { transport, stderr: undefined, spare: () => undefined };
}

function createProcess({
  command,
  args,
  env,
  cwd,
}: Extract<ServerAddress, { readonly kind: "stdio" }>): ServerTransport {
  const transport = new StdioClientTransport({
    command,
    args: [...args],
    env: { ...env },
    ...(cwd === undefined ? {} : { cwd }),
    stderr: "pipe",
    maxBufferSize: maxMessageBytes,
  });
  const close = transport.close.bind(transport);
  let isSpared = false;
  // It is also closed by the SDK itself: when a message is too large, and when the server does not initialize.
  transport.close = async () => {
    if (!isSpared && transport.pid !== null) kill(transport.pid);
    await close();
  };
  return { transport, stderr: (transport.stderr as Readable | null) ?? undefined, spare: () => void (isSpared = true) };
}

/** Kills a process that may be gone already. Until it has ended, one that floods its output keeps this process busy. */
function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

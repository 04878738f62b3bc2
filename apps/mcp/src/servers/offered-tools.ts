import type { Closer } from "@voxbus/subscriber";

/** A tool of a server as the bus offers it. */
export interface BridgedTool {
  /** The name on the bus. */
  readonly name: string;
  readonly description: string;
  readonly schema: Readonly<Record<string, unknown>>;
  readonly timeoutMs: number;
  /** The groups that it is offered to. Undefined: every device. */
  readonly groups: readonly string[] | undefined;
  readonly finishes: boolean;
  /** Calls it. Throws an Error whose message is for the model. */
  call(args: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<string>;
}

/** Offers a tool on the bus until the returned handle is closed. Throws RangeError if the bus cannot carry it. */
export type Offer = (tool: BridgedTool) => Closer;

/** The bytes that are left for the descriptions of tools. */
export interface Room {
  bytes: number;
}

/** The tools of one server that are offered now. */
export interface OfferedTools {
  /** Offers these tools and no others. One that has not changed goes on. Returns the number of those without room. */
  replace(tools: readonly BridgedTool[]): number;
  count(): number;
}

/** Creates the tools of a server, which offers none at first. It shares `room` with other servers. */
export function createOfferedTools(offer: Offer, room: Room): OfferedTools {
  const offered = new Map<string, { readonly definition: string; readonly closer: Closer }>();

  const withdraw = (name: string) => {
    const found = offered.get(name);
    if (found === undefined) return;
    offered.delete(name);
    room.bytes += Buffer.byteLength(found.definition);
    found.closer.close();
  };
  const keep = ({ call, ...described }: BridgedTool): boolean => {
    const definition = JSON.stringify(described);
    const bytes = Buffer.byteLength(definition);
    if (offered.get(described.name)?.definition === definition) return true;
    withdraw(described.name);
    if (bytes > room.bytes) return false;
    try {
      offered.set(described.name, { definition, closer: offer({ ...described, call }) });
    } catch (error) {
      // A program describes all its tools in one message.
      if (error instanceof RangeError) return false;
      throw error;
    }
    room.bytes -= bytes;
    return true;
  };
  return {
    replace(tools) {
      const names = new Set(tools.map(({ name }) => name));
      for (const name of offered.keys()) if (!names.has(name)) withdraw(name);
      return tools.filter((tool) => !keep(tool)).length;
    },
    count: () => offered.size,
  };
}

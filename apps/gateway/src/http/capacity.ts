import type { IncomingMessage } from "node:http";
import type { Refusal } from "@voxbus/protocol";
import { isLoopback } from "./auth.ts";
import { Budget } from "../limits.ts";

/** Who may come in now: caps on connections, on strangers, on an address, on connects a second. */
export interface Admission {
  /** Why a connection from `address` cannot be taken now, or undefined. */
  refuse(address: string): Refusal | undefined;
  /** A connection from `address` came in; call the result when it is gone. */
  enter(address: string): () => void;
}

/** What admission looks at. */
export interface AdmissionOptions {
  readonly maxConnections: number;
  readonly maxStrangers: number;
  readonly maxPerAddress: number;
  readonly maxConnectsPerSecond: number;
  readonly connections: () => number;
  readonly strangers: () => number;
  readonly connected: () => boolean;
  readonly draining: () => boolean;
}

/** The address that a connection really comes from. */
export function addressOf(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "");
}

/** Creates the admission of one gateway process. Connections of this machine itself do not count for an address. */
export function createAdmission(options: AdmissionOptions): Admission {
  const addresses = new Map<string, number>();
  const connects = new Budget(options.maxConnectsPerSecond, options.maxConnectsPerSecond * 2);
  return {
    refuse(address) {
      if (options.draining()) return "draining";
      if (!options.connected()) return "bus-away";
      const full =
        options.connections() >= options.maxConnections ||
        options.strangers() >= options.maxStrangers ||
        (addresses.get(address) ?? 0) >= options.maxPerAddress;
      return full || !connects.take(performance.now()) ? "too-many" : undefined;
    },
    enter(address) {
      if (isLoopback(address)) return () => undefined;
      addresses.set(address, (addresses.get(address) ?? 0) + 1);
      return () => {
        const left = (addresses.get(address) ?? 1) - 1;
        if (left > 0) addresses.set(address, left);
        else addresses.delete(address);
      };
    },
  };
}

import type { IncomingMessage } from "node:http";
import type { Refusal } from "@voxbus/protocol";
import type { Limits } from "../limits.ts";
import { TokenBucket } from "../token-bucket.ts";
import { isLoopback } from "./auth.ts";

/** Decides whether the gateway accepts one more connection: in all, pending, from one address, in one second. */
export interface Capacity {
  /** Gives the reason to refuse a connection from `address` now, or undefined. */
  refuse(address: string): Refusal | undefined;
  /** Counts a connection from `address`. Call the result when the connection is gone. */
  enter(address: string): () => void;
}

/** The state of the gateway that its capacity depends on. */
export interface CapacityState {
  connections(): number;
  /** Connections without a hello yet. */
  pending(): number;
  /** True while NATS answers. */
  connected(): boolean;
  draining(): boolean;
  /** True while the process is over its memory threshold. */
  outOfMemory(): boolean;
}

/** Gives the address of a connection's peer. */
export function addressOf(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "");
}

/** Creates the capacity of one gateway. This machine's own connections count for no address. */
export function createCapacity(
  limits: Pick<Limits, "connections" | "pending" | "perAddress" | "connectsPerSecond">,
  state: CapacityState,
): Capacity {
  const addresses = new Map<string, number>();
  const connects = new TokenBucket(limits.connectsPerSecond, limits.connectsPerSecond * 2);
  return {
    refuse(address) {
      if (state.draining()) return "draining";
      if (!state.connected()) return "bus-away";
      if (state.outOfMemory()) return "out-of-memory";
      const full =
        state.connections() >= limits.connections ||
        state.pending() >= limits.pending ||
        (addresses.get(address) ?? 0) >= limits.perAddress;
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

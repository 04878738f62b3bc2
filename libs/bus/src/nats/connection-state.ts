import type { Closer } from "../closer.ts";
import { BusAwayError } from "../errors.ts";
import type { Drops } from "./drops.ts";

/** The state of a connection, connected or away, with its listeners. It starts connected. */
export interface ConnectionState {
  connected(): boolean;
  /** Changes the state and calls the listeners. Without a change it does nothing. */
  set(connected: boolean): void;
  /** Calls `listener` at each change. */
  onChange(listener: (connected: boolean) => unknown): Closer;
  /** Resolves when connected. Throws BusAwayError after `timeoutMs`, or the reason of `signal`. */
  whenConnected(timeoutMs: number, signal?: AbortSignal): Promise<void>;
}

/** Creates the state of one connection. */
export function createConnectionState(drops: Drops): ConnectionState {
  const listeners = new Set<(connected: boolean) => unknown>();
  let up = true;

  const onChange = (listener: (connected: boolean) => unknown): Closer => {
    listeners.add(listener);
    return { close: () => void listeners.delete(listener) };
  };

  return {
    connected: () => up,
    onChange,
    set: (connected) => {
      if (up === connected) return;
      up = connected;
      for (const listener of listeners) drops.guard("connection", () => listener(connected));
    },
    whenConnected: async (timeoutMs, signal) => {
      signal?.throwIfAborted();
      if (up) return;
      await new Promise<void>((resolve, reject) => {
        const settle = (act: () => void): void => {
          clearTimeout(timeout);
          watch.close();
          signal?.removeEventListener("abort", abort);
          act();
        };
        const abort = (): void => settle(() => reject(signal?.reason as Error));
        const timeout = setTimeout(
          () => settle(() => reject(new BusAwayError("NATS is away"))),
          Math.max(timeoutMs, 0),
        );
        const watch = onChange((now) => now && settle(resolve));
        signal?.addEventListener("abort", abort);
      });
    },
  };
}

import { BusAwayError, type Bus, type Closer } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";

const everyMs = 1000;

/** The turn that somebody works on, or the announcement. */
export interface Work {
  readonly session?: string | undefined;
  readonly origin?: number | undefined;
  readonly reply?: string | undefined;
}

/**
 * Tells the gateway of a device that a turn or an announcement is worked on: at once, and then every second until it is
 * closed. The gateway does not give it up meanwhile. The work needs a limit of its own. While NATS is away, no signs are sent.
 */
export function signalWork(bus: Pick<Bus, "publish">, device: string, work: Work): Closer {
  const { session, origin, reply } = work;
  const signal = (): void => {
    try {
      bus.publish(channels.out(device), { session, origin, reply, kind: "control", body: { type: "working" } }, {});
    } catch (error) {
      if (!(error instanceof BusAwayError)) throw error;
    }
  };
  const timer = setInterval(signal, everyMs);
  signal();
  return { close: () => clearInterval(timer) };
}

import { BusAwayError, type Bus, type Closer } from "@voxbus/bus";
import { channels, type OutControl } from "@voxbus/protocol";

const everyMs = 1000;

/** The turn that somebody works on, or the announcement. */
export interface Work {
  readonly session?: string | undefined;
  readonly origin?: number | undefined;
  readonly reply?: string | undefined;
}

/** Signs of life, sent until they are closed. */
export interface WorkSigns extends Closer {
  /** Tells, or no longer tells, that the work waits for its place in a queue and will be late. */
  waits(isWaiting: boolean): void;
}

/**
 * Tells the gateway of a device that a turn or an announcement is worked on: at once, and then every second until it is
 * closed. The gateway does not give it up meanwhile. The work needs a limit of its own. While NATS is away, no signs are sent.
 */
export function signalWork(bus: Pick<Bus, "publish">, device: string, work: Work): WorkSigns {
  let isWaiting = false;
  const signal = () => sendControl(bus, device, work, { type: "working", ...(isWaiting && { waits: true }) });
  const timer = setInterval(signal, everyMs);
  signal();
  return {
    waits(now) {
      const isNews = now !== isWaiting;
      isWaiting = now;
      if (isNews) signal();
    },
    close: () => clearInterval(timer),
  };
}

/** Tells the gateway of a device that no program will answer a turn. While NATS is away, nothing is sent. */
export function signalShed(bus: Pick<Bus, "publish">, device: string, work: Work): void {
  sendControl(bus, device, work, { type: "shed" });
}

function sendControl(bus: Pick<Bus, "publish">, device: string, work: Work, body: OutControl): void {
  const { session, origin, reply } = work;
  try {
    bus.publish(channels.out(device), { session, origin, reply, kind: "control", body }, {});
  } catch (error) {
    if (!(error instanceof BusAwayError)) throw error;
  }
}

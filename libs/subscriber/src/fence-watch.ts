import type { Bus, Closer } from "@voxbus/bus";
import { channels, parseDeviceId } from "@voxbus/protocol";
import { createFences, type Fences } from "./fences.ts";

/** The fences of sessions, watched from their first use until it is closed. */
export interface FenceWatch extends Closer {
  /** Watches the fences of a device's sessions, or of all devices, on `device.<id>.in.control`. */
  of(device?: string): Fences;
  /** The same for a device whose fences may be watched already; if not, those of all devices are. */
  covering(device: string): Fences;
}

/** Creates a watch that subscribes to nothing before it is used. */
export function createFenceWatch(bus: Pick<Bus, "subscribe">): FenceWatch {
  const fences = createFences();
  const subscriptions = new Map<string, Closer>();
  const closeAll = (): void => {
    for (const subscription of subscriptions.values()) subscription.close();
    subscriptions.clear();
  };
  const watch: FenceWatch["of"] = (device) => {
    const id = device === undefined ? "*" : parseDeviceId(device);
    if (subscriptions.has(id) || subscriptions.has("*")) return fences;
    if (id === "*") closeAll();
    subscriptions.set(id, bus.subscribe(channels.inControl(id), fences.handle));
    return fences;
  };
  return {
    of: watch,
    covering: (device) => (subscriptions.has(device) ? fences : watch()),
    close: closeAll,
  };
}

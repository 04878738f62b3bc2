import type { Bus, Closer } from "@voxbus/bus";
import { activationMs, buckets, type Activation } from "@voxbus/protocol";
import { z } from "zod";

/** A device that waits for an operator. Its code stands on the device only. */
export const WaitingDevice = z.object({
  id: z.string(),
  at: z.number().describe("ms since the epoch at which it got its code"),
  until: z.number().describe("ms since the epoch at which the code expires"),
  remote: z.string().describe("the device's address"),
  board: z.string().optional().describe("the board that it names"),
  firmware: z.string().optional().describe("the version that it names"),
});
export type WaitingDevice = z.infer<typeof WaitingDevice>;

/** The devices that wait for an operator. */
export interface WaitingDevices extends Closer {
  /** Those whose code has not expired, the newest first. */
  list(): readonly WaitingDevice[];
  /** Reads the device that waits with a code. Undefined if none does, or no longer. Rejects with BusAwayError. */
  find(code: string): Promise<Activation | undefined>;
  /** Ends the wait with a code. */
  remove(code: string): Promise<void>;
  /** Ends every wait of a device, and gives their number. Rejects with BusAwayError. */
  removeAll(device: string): Promise<number>;
}

/** Watches the bucket `activations`. Resolves when the first snapshot is complete. */
export async function watchWaitingDevices(bus: Bus): Promise<WaitingDevices> {
  const bucket = bus.bucket(buckets.activations);
  const { entries, close } = await bucket.watch();
  const isValid = ({ at }: Activation) => bus.now() < at + activationMs;
  return {
    list: () =>
      [...entries.values()]
        .flatMap(({ value }) => (value !== undefined && isValid(value) ? [toView(value)] : []))
        .sort((a, b) => b.at - a.at || a.id.localeCompare(b.id)),
    async find(code) {
      const found = (await bucket.get(code))?.value;
      return found !== undefined && isValid(found) ? found : undefined;
    },
    remove: (code) => bucket.remove(code),
    async removeAll(device) {
      const codes = [...entries].flatMap(([code, { value }]) => (value?.device === device ? [code] : []));
      for (const code of codes) await bucket.remove(code);
      return codes.length;
    },
    close,
  };
}

function toView({ device, at, remote, board, firmware }: Activation): WaitingDevice {
  return { id: device, at, until: at + activationMs, remote, board, firmware };
}

import { BusAwayError, DeniedError } from "@voxbus/bus";
import { watchPresence } from "@voxbus/presence";
import { CommandError, type Shell } from "../command.ts";
import { standInPrefix } from "./plan.ts";

/**
 * Refuses a replay while devices are online that the programs of the system could speak to. Throws CommandError with their number.
 * Only says so where NATS is away or does not permit to see them.
 */
export async function refuseBystanders({ connect, tell }: Pick<Shell, "connect" | "tell">): Promise<void> {
  const count = await countOnline(connect).catch((error: unknown) => {
    const isUnknown = [CommandError, BusAwayError, DeniedError].some((kind) => error instanceof kind);
    if (!isUnknown) throw error;
    tell(`voxbus: it is not known whether devices are online here: ${(error as Error).message}`);
    return 0;
  });
  if (count === 0) return;
  const devices = count === 1 ? "1 device is" : `${count} devices are`;
  throw new CommandError(
    `${devices} online here, and tools and programs of the system may speak to them. Replay into another system with --to, or give --live.`,
  );
}

async function countOnline(connect: Shell["connect"]): Promise<number> {
  const view = await watchPresence(await connect());
  const real = [...view.devices()].filter(([device]) => !device.startsWith(standInPrefix));
  view.close();
  return real.length;
}

import type { GatewayLease } from "@voxbus/protocol";

/**
 * Chooses the URL of the gateway to which a device is sent: at random, each as likely as it has room. So devices that ask at
 * the same time spread, although leases tell the room of some seconds ago. Undefined if no gateway with a URL has room.
 * `random` gives a number from 0 to 1, without 1.
 */
export function chooseGateway(leases: readonly GatewayLease[], random: () => number = Math.random): string | undefined {
  const ready = leases.filter(({ draining, url }) => !draining && url !== undefined);
  const rooms = ready.map(({ load }) => load.room ?? 0);
  let left = random() * rooms.reduce((sum, room) => sum + room, 0);
  for (const [index, room] of rooms.entries()) {
    left -= room;
    if (left < 0) return ready[index]?.url;
  }
  return undefined;
}

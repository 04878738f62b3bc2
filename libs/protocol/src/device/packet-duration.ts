const silkMs = [10, 20, 40, 60];
const celtMs = [2.5, 5, 10, 20];

/**
 * Reads the duration of an Opus packet in ms, 2.5 to 120, from its first two bytes (RFC 6716 §3.1). The rest is not
 * checked, so a damaged packet gets a duration too.
 */
export function packetDuration(packet: Uint8Array): number {
  const head = packet[0] ?? 0;
  const config = head >> 3;
  const frameMs = config < 12 ? silkMs[config & 3]! : config < 16 ? 10 << (config & 1) : celtMs[config & 3]!;
  const code = head & 3;
  const frames = code === 0 ? 1 : code < 3 ? 2 : (packet[1] ?? 0) & 63;
  return Math.min(120, Math.max(2.5, frames * frameMs));
}

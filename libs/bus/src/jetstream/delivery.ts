/**
 * Reads which message it is, by sequence and time, how often it was delivered, and when it was stored (ms since the
 * epoch, by the server's clock) from the subject that acknowledges it.
 */
export function readDelivery(reply: string): {
  readonly key: string;
  readonly attempt: number;
  readonly storedAt: number;
} {
  const tokens = reply.split(".");
  // $JS.ACK.<stream>.<consumer>.<attempt>.<seq>.…, since 2.11 also with <domain>.<account> before the stream.
  const at = tokens.length === 9 ? 4 : 6;
  return {
    attempt: Number(tokens[at]),
    key: `${tokens[at + 1]}@${tokens[at + 3]}`,
    storedAt: Number(tokens[at + 3]) / 1e6,
  };
}

/** Reads which message it is, by sequence and time, and how often it was delivered, from the subject that acknowledges it. */
export function readDelivery(reply: string): { readonly key: string; readonly attempt: number } {
  const tokens = reply.split(".");
  // $JS.ACK.<stream>.<consumer>.<attempt>.<seq>.…, since 2.11 also with <domain>.<account> before the stream.
  const at = tokens.length === 9 ? 4 : 6;
  return { attempt: Number(tokens[at]), key: `${tokens[at + 1]}@${tokens[at + 3]}` };
}

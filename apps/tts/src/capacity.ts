import { packetMs, type EncoderLoad } from "./speech-encoder.ts";

/**
 * Gives the number of replies that the encoder can speak at the same time, from the measured cost of a packet: each reply needs one
 * packet every 60 ms of one thread. At least 1.
 */
export function countReplies(
  { costMs, mostThreads }: Pick<EncoderLoad, "costMs" | "mostThreads">,
  limits: { readonly maxLoad: number; readonly replies?: number | undefined },
): number {
  const byLoad = Math.floor((limits.maxLoad * mostThreads * packetMs) / costMs);
  return Math.max(1, Math.min(byLoad, limits.replies ?? Infinity));
}

/** Calls `report` when the number of replies that fit has changed so much that others must know it. */
export function createSpareReport(report: () => void): (spare: number, capacity: number) => void {
  let reported: number | undefined;
  return (spare, capacity) => {
    const isSmall = reported !== undefined && Math.abs(spare - reported) < Math.max(1, capacity / 10);
    if (isSmall && spare > 0 === reported! > 0) return;
    reported = spare;
    report();
  };
}

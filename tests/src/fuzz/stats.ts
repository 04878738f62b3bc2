/** The gateway's numbers at `/ws/stats`. */
export interface Stats {
  readonly gateway: string;
  readonly connections: number;
  /** Bytes buffered for all devices. */
  readonly buffered: number;
  readonly drops: Readonly<Record<string, number>>;
  readonly closes: Readonly<Record<string, number>>;
  readonly refusals: Readonly<Record<string, number>>;
}

/** Reads the gateway's numbers. Throws if it does not answer within 10 s. */
export async function readStats(port: number): Promise<Stats> {
  const answer = await fetch(`http://127.0.0.1:${port}/ws/stats`, { signal: AbortSignal.timeout(10_000) });
  return (await answer.json()) as Stats;
}

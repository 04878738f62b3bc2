import type { Log } from "@voxbus/subscriber";
import type { GatewayProcess } from "./gateway-process.ts";

/** A process hangs if it answers none of this number of looks in a row. The containers' liveness probe has the same. */
const mostMisses = 6;

/** Creates a watch of gateway processes. Each call of the result asks all, and kills those that hang. */
export function createHangWatch(
  processes: readonly Pick<GatewayProcess, "number" | "isUp" | "ask" | "kill">[],
  log: Pick<Log, "error">,
): () => Promise<void> {
  const misses = new Map<number, number>();
  return async () => {
    await Promise.all(
      processes.map(async (one) => {
        const hangs = one.isUp() && (await one.ask("/livez")) === undefined;
        const missed = hangs ? (misses.get(one.number) ?? 0) + 1 : 0;
        misses.set(one.number, missed % mostMisses);
        if (missed < mostMisses) return;
        log.error({ worker: one.number }, "gateway process hangs, killed");
        one.kill();
      }),
    );
  };
}

import { createClaimBudget, type Bus, type ClaimBudget, type Closer } from "@voxbus/bus";
import { createLoadGuard, type ConfigShape, type LoadReading, type Service } from "@voxbus/service";
import { z } from "zod";

/** The variables of programs that claim jobs. */
export const claimGuardConfig = {
  VOXBUS_PAUSE_MEMORY_MB: z.coerce
    .number()
    .int()
    .min(32)
    .default(1024)
    .describe("megabytes of objects and buffers in a process, above which it claims no more jobs"),
  VOXBUS_PAUSE_LOOP_DELAY_MS: z.coerce
    .number()
    .int()
    .min(20)
    .default(500)
    .describe("delay of a process's event loop, ms (p99 of a second), above which it claims no more jobs"),
};

/** The bus of a process that claims jobs only while its load allows it. */
export interface ClaimGuard extends Closer {
  readonly bus: Bus;
  /** True while no jobs are claimed. */
  paused(): boolean;
}

/**
 * Stops the claims of a process while it is over a threshold. What is held goes on. A process that holds nothing claims one job at a
 * time nevertheless: its load then is not the work's, and memory that is free shows only while it works.
 */
export function guardClaims(
  bus: Bus,
  options: {
    readonly config: z.infer<z.ZodObject<typeof claimGuardConfig>>;
    readonly read?: () => LoadReading;
  } & Pick<Service<ConfigShape>, "log" | "meter">,
): ClaimGuard {
  const { config, log, meter, read } = options;
  const guard = createLoadGuard({
    memoryBytes: config.VOXBUS_PAUSE_MEMORY_MB * 1_000_000,
    loopDelayMs: config.VOXBUS_PAUSE_LOOP_DELAY_MS,
    log,
    messages: { over: "claims paused", under: "claims resumed" },
    ...(read && { read, everyMs: 20 }),
  });
  const paused = () => guard.over() !== undefined;
  meter
    .createObservableGauge("voxbus_bus_claims_paused", {
      description: "1 while the process claims no jobs for its load",
    })
    .addCallback((result) => result.observe(Number(paused())));
  const most = () => (paused() ? Number(bus.stats().held === 0) : Infinity);
  const limit = (slots: number | ClaimBudget): ClaimBudget => {
    const budget = typeof slots === "number" ? createClaimBudget(slots) : slots;
    return {
      ...budget,
      join(loop) {
        const free = budget.join(loop);
        return () => Math.min(free(), most());
      },
    };
  };
  return {
    bus: {
      ...bus,
      claim: (options) => bus.claim({ ...options, slots: limit(options.slots) }),
    },
    paused,
    close: () => guard.close(),
  };
}

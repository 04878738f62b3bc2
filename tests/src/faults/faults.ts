import type { Fault } from "./fault.ts";
import { natsFaults } from "./faults-nats.ts";
import { workerFaults } from "./faults-workers.ts";

/** Everything that happens, in the order of the table. */
export const faults: readonly Fault[] = [...workerFaults, ...natsFaults];

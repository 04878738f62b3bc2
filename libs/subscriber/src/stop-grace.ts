import type { StopMode } from "@voxbus/service";

/** The time that work has when its program stops, ms. The process must end within 30 s of SIGTERM, and within 5 s of SIGINT. */
export const stopGraceMs: Readonly<Record<StopMode, number>> = { drain: 20_000, quick: 500 };

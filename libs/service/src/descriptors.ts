import { readFileSync } from "node:fs";

/** Gives the number of descriptors that this process may open. Infinity where the system does not tell. */
export function readDescriptorLimit(): number {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return Number(limit ?? Infinity);
  } catch {
    return Infinity;
  }
}

import type { Stage } from "./stage.ts";
import type { WorldOptions } from "./world.ts";

const threadHook = new URL("../../dist/faults/thread-hook.js", import.meta.url);
const usual = { gateways: 2, each: 1, nodes: 1, engines: "embedded", env: {} } as const;

/** The systems that faults need; those with the same one share it. */
export const worlds = {
  one: usual,
  two: { ...usual, each: 2 },
  threads: { ...usual, env: { NODE_OPTIONS: `--import=${threadHook.href}` } },
  model: { ...usual, engines: "model" },
  speech: { ...usual, engines: "speech" },
  cluster: { ...usual, nodes: 3 },
} as const satisfies Record<string, WorldOptions>;
export type WorldName = keyof typeof worlds;

/** Something that goes wrong. */
export interface Fault {
  readonly name: string;
  readonly world: WorldName;
  /** Part of the short form. */
  readonly quick?: boolean;
  readonly devices?: number;
  /** What no server can save, and why; without it no turn may be lost. */
  readonly mayLose?: {
    /** Turns whose own connection was cut, or speech of which nothing was ever heard. */
    readonly what: "cut" | "speech";
    readonly why: string;
  };
  /** The longest that a device in a turn may wait for sound, ms, where that is promised. */
  readonly withinMs?: number;
  /** Brings it about and mends it; resolves when everything that was broken runs again. */
  readonly happen: (stage: Stage) => Promise<void>;
}

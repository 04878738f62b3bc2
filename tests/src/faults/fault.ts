import type { Stage } from "./stage.ts";
import type { WorldOptions } from "./world.ts";

const threadHook = new URL("../../dist/faults/thread-hook.js", import.meta.url);
const usual = { gateways: 2, each: 1, nodes: 1, engines: "embedded", env: {} } as const;

/** The systems for the faults. Faults with the same system share it. */
export const worlds = {
  one: usual,
  two: { ...usual, each: 2 },
  threads: { ...usual, env: { NODE_OPTIONS: `--import=${threadHook.href}` } },
  model: { ...usual, engines: "model" },
  speech: { ...usual, engines: "speech" },
  cluster: { ...usual, nodes: 3 },
} as const satisfies Record<string, WorldOptions>;
export type WorldName = keyof typeof worlds;

/** A fault and its promises. */
export interface Fault {
  readonly name: string;
  readonly world: WorldName;
  /** True for the short form. */
  readonly quick?: boolean;
  readonly devices?: number;
  /** True for devices over MQTT and UDP instead of WebSocket. */
  readonly isMqtt?: boolean;
  /** Turns that no server can save, and the reason. Without it no turn may be lost. */
  readonly mayLose?: {
    /** Turns whose connection broke, or speech that never reached asr. */
    readonly what: "cut" | "speech";
    readonly why: string;
  };
  /** The promised longest wait for sound in a turn, ms. */
  readonly withinMs?: number;
  /** Causes the fault and repairs it. Resolves when everything runs again. */
  readonly happen: (stage: Stage) => Promise<void>;
}

import { createDevice, type Device, type Entrance } from "./device.ts";
import type { References } from "./judge.ts";
import type { Questions } from "./questions.ts";
import type { TurnRecord } from "./turn.ts";

/** Devices that talk continuously. */
export interface Fleet {
  readonly devices: readonly Device[];
  /** Lists all turns of all devices, open ones included. */
  turns(): readonly TurnRecord[];
  /** Waits until each device has ended a turn that began after `since`. Resolves with the late devices after `boundMs`. */
  awaitTurns(since: number, boundMs: number): Promise<readonly string[]>;
  /** Waits for the end of all turns and disconnects the devices. */
  stop(): Promise<void>;
}

/** The behavior of a device, by its number. */
const kinds = ["typed", "spoken", "long", "manual", "long too", "aborting"] as const;

/** Starts a fleet. Its device ids begin with `name`. */
export function startFleet(
  entrance: Entrance,
  options: {
    readonly name: string;
    readonly size: number;
    readonly questions: Questions;
    readonly references: References;
  },
): Fleet {
  const { name, size, questions, references } = options;
  const typed = (from: number) => [...questions.typed.slice(from), ...questions.typed.slice(0, from)];
  const devices = Array.from({ length: size }, (_, i) => {
    const kind = kinds[i % kinds.length]!;
    const asked = {
      typed: typed(i % questions.typed.length),
      spoken: questions.spoken,
      long: questions.long,
      manual: questions.spoken,
      "long too": questions.long,
      aborting: questions.long,
    }[kind];
    return createDevice({
      id: `${name}-${i}`,
      entrance,
      first: i,
      questions: asked,
      references,
      mode: kind === "manual" ? "manual" : "auto",
      ...(kind === "aborting" ? { abortAfter: 20 } : {}),
    });
  });
  const stopping = new AbortController();
  const talking = devices.map((device) => device.talk(stopping.signal));
  return {
    devices,
    turns: () => devices.flatMap((device) => device.turns),
    async awaitTurns(since, boundMs) {
      const until = performance.now() + boundMs;
      const hasNew = (device: Device) =>
        device.turns.some(({ beganAt, outcome }) => beganAt > since && outcome !== undefined && outcome !== "unheard");
      for (;;) {
        const missing = devices.filter((device) => !hasNew(device)).map(({ id }) => id);
        if (missing.length === 0 || performance.now() > until) return missing;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async stop() {
      stopping.abort();
      await Promise.all(talking);
    },
  };
}

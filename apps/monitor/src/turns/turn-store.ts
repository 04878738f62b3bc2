import type { Closer } from "@voxbus/subscriber";
import QuickLRU from "quick-lru";
import type { LastTurn, TurnView } from "./turn-view.ts";

const turnsOfDevice = 12;
const maxDevices = 20_000;

/** The newest turns of each device. */
export interface TurnStore {
  /** The turn of a device that ended last. */
  last(device: string): LastTurn | undefined;
  setLast(device: string, turn: LastTurn): void;
  /** The number of devices whose last turn ended after `since`. */
  talking(since: number): number;
  /** A device's newest turns, oldest first. */
  recent(device: string): readonly TurnView[];
  /** Changes a turn, or begins it, and tells those who watch its device. */
  update(
    device: string,
    named: Pick<TurnView, "id" | "session">,
    change: (turn: TurnView) => Partial<TurnView>,
  ): TurnView;
  /** Forgets the turns of a device. */
  forget(device: string): void;
  /** Calls `changed` with each turn of a device that begins or changes. */
  watch(device: string, changed: (turn: TurnView) => void): Closer;
}

interface DeviceTurns {
  readonly turns: Map<string, TurnView>;
  last?: LastTurn;
}

/** Creates an empty store, in memory. */
export function createTurnStore(): TurnStore {
  const devices = new QuickLRU<string, DeviceTurns>({ maxSize: maxDevices });
  const watchers = new Map<string, Set<(turn: TurnView) => void>>();

  const stateOf = (device: string) => {
    const state: DeviceTurns = devices.get(device) ?? { turns: new Map() };
    devices.set(device, state);
    return state;
  };

  return {
    last: (device) => devices.get(device)?.last,
    setLast: (device, turn) => void (stateOf(device).last = turn),
    talking: (since) => [...devices.values()].filter(({ last }) => (last?.at ?? 0) > since).length,
    recent: (device) => [...(devices.get(device)?.turns.values() ?? [])],
    update(device, { id, session }, change) {
      const { turns } = stateOf(device);
      const known = turns.get(id) ?? { id, session, sentences: 0, fenced: 0, dropped: 0, late: 0 };
      const turn = { ...known, ...change(known) };
      turns.set(id, turn);
      if (turns.size > turnsOfDevice) turns.delete(turns.keys().next().value ?? "");
      watchers.get(device)?.forEach((changed) => changed(turn));
      return turn;
    },
    forget: (device) => void devices.delete(device),
    watch(device, changed) {
      const set = watchers.get(device) ?? new Set();
      watchers.set(device, set.add(changed));
      return {
        close() {
          set.delete(changed);
          if (set.size === 0) watchers.delete(device);
        },
      };
    },
  };
}

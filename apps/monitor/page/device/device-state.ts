import { useEffect, useState } from "preact/hooks";
import type { Activity, DeviceView, Hello, TurnView } from "../../src/live/live.ts";
import { followEvents } from "../shared/event-stream.ts";

const maxTurns = 12;
const maxActivities = 40;

/** State of the device while its page is open. */
export interface DeviceState {
  /** True once the monitor has said if the device is online. */
  readonly isKnown: boolean;
  readonly device?: DeviceView | undefined;
  readonly hello?: Hello | undefined;
  readonly turns: readonly TurnView[];
  readonly activities: readonly Activity[];
}

function putTurn(turns: readonly TurnView[], turn: TurnView): readonly TurnView[] {
  const isKnown = turns.some(({ id }) => id === turn.id);
  if (isKnown) return turns.map((known) => (known.id === turn.id ? turn : known));
  return [...turns, turn].slice(-maxTurns);
}

/** Follows one device for as long as the component is shown. */
export function useDevice(id: string): DeviceState {
  const [state, setState] = useState<DeviceState>({ isKnown: false, turns: [], activities: [] });
  useEffect(
    () =>
      followEvents(`/api/events?device=${encodeURIComponent(id)}`, {
        hello: (hello) => setState((now) => ({ ...now, hello })),
        device: ({ device }) => setState((now) => ({ ...now, isKnown: true, device })),
        turn: (turn) => setState((now) => ({ ...now, turns: putTurn(now.turns, turn) })),
        activity: (activity) =>
          setState((now) => ({ ...now, activities: [activity, ...now.activities].slice(0, maxActivities) })),
      }),
    [id],
  );
  return state;
}

import { stateOf, type FleetRow } from "./state-of.ts";
import { useWords } from "./words.ts";

/** The state of a device in words, with its dot. */
export function StateDot({ device }: { readonly device: FleetRow }) {
  const { fleet: words } = useWords();
  const { online } = device;
  const state = stateOf(device);
  return (
    <span class={`dot ${online ? state : "closed"}`}>
      {online?.audio === "closed" && state === "idle" ? words.reachable : words.states[state]}
    </span>
  );
}

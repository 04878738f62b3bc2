import { useWords } from "../shared/words.ts";
import type { Filter } from "./fleet-filter.ts";

/** The controls that choose the devices to show. */
export function FilterBar(props: {
  readonly filter: Filter;
  readonly gateways: readonly string[];
  readonly change: (part: Partial<Filter>) => void;
}) {
  const { filter, gateways, change } = props;
  const { fleet: words } = useWords();
  return (
    <div class="filters" role="search">
      <label class="grow">
        <span class="hidden">{words.search}</span>
        <input
          type="search"
          placeholder={words.searchHint}
          value={filter.text}
          onInput={({ currentTarget }) => change({ text: currentTarget.value })}
        />
      </label>
      <label>
        <span>{words.state}</span>
        <select value={filter.state} onChange={({ currentTarget }) => change({ state: currentTarget.value })}>
          <option value="">{words.all}</option>
          {Object.entries(words.states)
            .filter(([state]) => state !== "closed")
            .map(([state, label]) => (
              <option key={state} value={state}>
                {label}
              </option>
            ))}
        </select>
      </label>
      <label>
        <span>{words.gateway}</span>
        <select value={filter.gateway} onChange={({ currentTarget }) => change({ gateway: currentTarget.value })}>
          <option value="">{words.all}</option>
          {gateways.map((gateway) => (
            <option key={gateway}>{gateway}</option>
          ))}
        </select>
      </label>
    </div>
  );
}

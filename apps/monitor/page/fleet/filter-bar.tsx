import { useWords } from "../shared/words.ts";
import type { Filter } from "./fleet-filter.ts";

/** The controls that choose the devices to show. */
export function FilterBar(props: {
  readonly filter: Filter;
  readonly groups: readonly string[];
  readonly gateways: readonly string[];
  readonly change: (part: Partial<Filter>) => void;
}) {
  const { filter, groups, gateways, change } = props;
  const { fleet: words } = useWords();
  const states = Object.entries({ online: words.online, ...words.states }).filter(([state]) => state !== "closed");
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
      <Choice label={words.state} value={filter.state} options={states} choose={(state) => change({ state })} />
      {groups.length > 0 && (
        <Choice
          label={words.group}
          value={filter.group}
          options={groups.map((group) => [group, group])}
          choose={(group) => change({ group })}
        />
      )}
      <Choice
        label={words.gateway}
        value={filter.gateway}
        options={gateways.map((gateway) => [gateway, gateway])}
        choose={(gateway) => change({ gateway })}
      />
    </div>
  );
}

function Choice(props: {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [value: string, label: string])[];
  readonly choose: (value: string) => void;
}) {
  const { label, value, options, choose } = props;
  const { fleet: words } = useWords();
  return (
    <label>
      <span>{label}</span>
      <select value={value} onChange={({ currentTarget }) => choose(currentTarget.value)}>
        <option value="">{words.all}</option>
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

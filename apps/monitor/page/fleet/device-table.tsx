import { useNow } from "../shared/show.ts";
import type { FleetRow } from "../shared/state-of.ts";
import { useWords } from "../shared/words.ts";
import { DeviceRow } from "./device-row.tsx";
import type { Column, Filter } from "./fleet-filter.ts";
import { useRowWindow } from "./row-window.ts";

/** The devices as a table. Only the visible rows exist, and Tab reaches one of them; keys move to the others. */
export function DeviceTable(props: {
  readonly devices: readonly FleetRow[];
  readonly filter: Filter;
  readonly change: (part: Partial<Filter>) => void;
  readonly edit: (id: string) => void;
}) {
  const { devices, filter, change, edit } = props;
  const { fleet: words } = useWords();
  const now = useNow(1000);
  const { box, rowHeight, indexes, current, onScroll, onKeyDown } = useRowWindow(devices.length, filter);
  const hasRtt = devices.some(({ online }) => online?.rtt !== undefined);
  return (
    <div
      role="table"
      class={`table card ${hasRtt ? "with-rtt" : ""}`}
      aria-label={words.title}
      aria-rowcount={devices.length + 1}
    >
      <div role="rowgroup" class="head">
        <HeadRow filter={filter} change={change} hasRtt={hasRtt} />
      </div>
      <div ref={box} role="rowgroup" class="rows" onKeyDown={onKeyDown} onScroll={onScroll}>
        <div class="space" role="presentation" style={{ height: `${devices.length * rowHeight}px` }}>
          {indexes.map((index) => (
            <DeviceRow
              key={index}
              index={index}
              row={devices[index] as FleetRow}
              top={index * rowHeight}
              now={now}
              isCurrent={index === current}
              hasRtt={hasRtt}
              edit={edit}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

interface HeadProps {
  readonly filter: Filter;
  readonly change: (part: Partial<Filter>) => void;
}

function HeadRow({ filter, change, hasRtt }: HeadProps & { readonly hasRtt: boolean }) {
  const { fleet: words } = useWords();
  const labels: readonly (readonly [Column, string])[] = [
    ["id", words.device],
    ["state", words.state],
    ["group", words.group],
    ["gateway", words.gateway],
    ["seen", words.seen],
    ["firmware", words.firmware],
    ...(hasRtt ? [["rtt", words.rtt] as const] : []),
    ["last", words.last],
    ["thought", words.thought],
    ["sound", words.sound],
  ];
  return (
    <div role="row" aria-rowindex={1}>
      {labels.map(([column, label]) => (
        <HeadCell key={column} column={column} label={label} filter={filter} change={change} />
      ))}
      <div role="columnheader" class="edit" />
    </div>
  );
}

function HeadCell(props: HeadProps & { readonly column: Column; readonly label: string }) {
  const { column, label, filter, change } = props;
  const { fleet: words } = useWords();
  const isSorted = filter.sort === column;
  const order = filter.descending ? "descending" : "ascending";
  const arrow = filter.descending ? " ↓" : " ↑";
  return (
    <div role="columnheader" class={column} aria-sort={isSorted ? order : "none"}>
      <button
        onClick={() => change({ sort: column, descending: isSorted && !filter.descending })}
        title={words.sort(label)}
      >
        {label}
        <span aria-hidden="true">{isSorted ? arrow : ""}</span>
      </button>
    </div>
  );
}

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { connected, devices } from "../shared/live-state.ts";
import { showCount } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";
import { DeviceTable } from "./device-table.tsx";
import { FilterBar } from "./filter-bar.tsx";
import { filterDevices, type Filter } from "./fleet-filter.ts";
import "./fleet.css";

/** Fleet: the devices that are online. */
export function FleetPage() {
  const { fleet: words } = useWords();
  const all = devices.value;
  const isConnected = connected.value;
  const [filter, setFilter] = useState<Filter>({ text: "", state: "", gateway: "", sort: "id", descending: false });
  const changedAt = useRef<number | undefined>(undefined);
  const gateways = useMemo(() => [...new Set([...all.values()].map(({ gateway }) => gateway))].sort(), [all]);
  const shown = useMemo(() => filterDevices(all.values(), filter), [all, filter]);

  const change = (part: Partial<Filter>) => {
    changedAt.current = performance.now();
    setFilter((now) => ({ ...now, ...part }));
  };
  useLayoutEffect(() => {
    if (changedAt.current === undefined) return;
    performance.measure("fleet-filter", { start: changedAt.current, end: performance.now() });
    changedAt.current = undefined;
  }, [filter]);
  useEffect(() => {
    // The filter would hide every device if its gateway has gone.
    if (filter.gateway && !gateways.includes(filter.gateway)) setFilter((now) => ({ ...now, gateway: "" }));
  }, [filter.gateway, gateways]);

  return (
    <>
      <div class="heading">
        <h1>{words.title}</h1>
        <p role="status">{words.count(showCount(shown.length), showCount(all.size))}</p>
      </div>
      <FilterBar filter={filter} gateways={gateways} change={change} />
      {shown.length > 0 ? (
        <DeviceTable devices={shown} filter={filter} change={change} />
      ) : (
        isConnected && <p class="empty card">{all.size > 0 ? words.noMatch : words.empty}</p>
      )}
    </>
  );
}

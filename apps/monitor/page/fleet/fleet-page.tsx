import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { connected, devices, known } from "../shared/live-state.ts";
import { showCount } from "../shared/show.ts";
import type { FleetRow } from "../shared/state-of.ts";
import { useWords } from "../shared/words.ts";
import { DeviceDialog } from "./device-dialog.tsx";
import { DeviceTable } from "./device-table.tsx";
import { FilterBar } from "./filter-bar.tsx";
import { FleetActions } from "./fleet-actions.tsx";
import { filterDevices, type Filter } from "./fleet-filter.ts";
import { createRowJoin, groupsIn } from "./fleet-rows.ts";
import { SayDialog } from "./say-dialog.tsx";
import { WaitingCard } from "./waiting-card.tsx";
import "./fleet.css";

const everyDevice: Filter = { text: "", state: "", group: "", gateway: "", sort: "id", descending: false };

/** Fleet: every known device, online or not. */
export function FleetPage() {
  const { fleet: words } = useWords();
  const join = useMemo(createRowJoin, []);
  const online = devices.value;
  const all = useMemo(() => join(known.value, online), [known.value, online]);
  const isConnected = connected.value;
  const [filter, setFilter] = useState<Filter>(everyDevice);
  /** The id of the device in the dialog; empty for a new one. */
  const [edited, setEdited] = useState<string | undefined>(undefined);
  const [isSaying, setSaying] = useState(false);
  const changedAt = useRef<number | undefined>(undefined);
  const gateways = useMemo(() => listNames(all, ({ online }) => online?.gateway), [all]);
  const groups = useMemo(() => listNames(all, groupsIn), [all]);
  const shown = useMemo(() => filterDevices(all, filter), [all, filter]);

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
    // The filter would hide every device if its gateway or group has gone.
    if (filter.gateway && !gateways.includes(filter.gateway)) setFilter((now) => ({ ...now, gateway: "" }));
    if (filter.group && !groups.includes(filter.group)) setFilter((now) => ({ ...now, group: "" }));
  }, [filter.gateway, gateways, filter.group, groups]);

  return (
    <>
      <div class="heading">
        <h1>{words.title}</h1>
        <p role="status">{words.count(showCount(shown.length), showCount(all.length), showCount(online.size))}</p>
        <FleetActions add={() => setEdited("")} say={() => setSaying(true)} />
      </div>
      <WaitingCard groups={groups} />
      <FilterBar filter={filter} groups={groups} gateways={gateways} change={change} />
      {shown.length > 0 ? (
        <DeviceTable devices={shown} filter={filter} change={change} edit={setEdited} />
      ) : (
        isConnected && <p class="empty card">{all.length > 0 ? words.noMatch : words.empty}</p>
      )}
      {edited !== undefined && (
        <DeviceDialog id={edited} known={known.value.get(edited)} groups={groups} close={() => setEdited(undefined)} />
      )}
      {isSaying && <SayDialog groups={groups} group={filter.group} close={() => setSaying(false)} />}
    </>
  );
}

/** The names that rows have, each once, in order. */
function listNames(
  rows: readonly FleetRow[],
  namesOf: (row: FleetRow) => string | undefined | readonly string[],
): readonly string[] {
  return [...new Set(rows.flatMap(namesOf))].filter((name) => name !== undefined).sort();
}

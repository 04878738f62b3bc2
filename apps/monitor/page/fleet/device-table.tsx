import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { DeviceView } from "../../src/live/live.ts";
import type { Column, Filter } from "./fleet-filter.ts";
import { linkDevice } from "../shared/route.ts";
import { showAge, showMs, useNow } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";

const overscan = 6;
const narrow = matchMedia("(max-width: 720px)");
const moves: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };

/**
 * The devices as a table of which only the rows in sight exist. One row's link can be reached by Tab; arrows, Page and
 * Home and End move it.
 */
export function DeviceTable(props: {
  readonly devices: readonly DeviceView[];
  readonly filter: Filter;
  readonly change: (part: Partial<Filter>) => void;
}) {
  const { devices, filter, change } = props;
  const { fleet: words } = useWords();
  const now = useNow(1000);
  const box = useRef<HTMLDivElement>(null);
  const [sight, setSight] = useState({ top: 0, height: 800 });
  const [isNarrow, setNarrow] = useState(narrow.matches);
  const [at, setAt] = useState(0);
  const focusing = useRef(false);
  const rowHeight = isNarrow ? 64 : 46;
  const hasRtt = devices.some(({ rtt }) => rtt !== undefined);

  useEffect(() => {
    const switchRows = () => setNarrow(narrow.matches);
    const measure = () => setSight((now) => ({ ...now, height: box.current?.clientHeight ?? now.height }));
    narrow.addEventListener("change", switchRows);
    const observer = new ResizeObserver(measure);
    if (box.current) observer.observe(box.current);
    return () => {
      narrow.removeEventListener("change", switchRows);
      observer.disconnect();
    };
  }, []);
  useEffect(() => {
    if (box.current) box.current.scrollTop = 0;
    setAt(0);
  }, [filter]);
  useLayoutEffect(() => {
    if (!focusing.current) return;
    focusing.current = false;
    box.current?.querySelector<HTMLElement>(`[data-at="${at}"] a`)?.focus({ preventScroll: true });
  }, [at]);

  const move = (event: KeyboardEvent) => {
    const ends: Readonly<Record<string, number>> = { Home: 0, End: devices.length - 1 };
    const step = moves[event.key];
    const next = step === undefined ? ends[event.key] : at + step;
    if (next === undefined || !box.current) return;
    event.preventDefault();
    const target = Math.max(0, Math.min(devices.length - 1, next));
    const top = target * rowHeight;
    const { clientHeight, scrollTop } = box.current;
    if (top < scrollTop) box.current.scrollTop = top;
    else if (top + rowHeight > scrollTop + clientHeight) box.current.scrollTop = top + rowHeight - clientHeight;
    setSight({ top: box.current.scrollTop, height: clientHeight });
    focusing.current = true;
    setAt(target);
  };

  const first = Math.max(0, Math.floor(sight.top / rowHeight) - overscan);
  const last = Math.min(devices.length, Math.ceil((sight.top + sight.height) / rowHeight) + overscan);
  const current = Math.min(at, devices.length - 1);
  const indexes = Array.from({ length: Math.max(0, last - first) }, (_, index) => first + index);
  if (current < first || current >= last) indexes.push(current);

  const head = (column: Column, label: string) => {
    const sorted = filter.sort === column;
    const flip = () => change({ sort: column, descending: sorted && !filter.descending });
    return (
      <div
        role="columnheader"
        class={column}
        aria-sort={sorted ? (filter.descending ? "descending" : "ascending") : "none"}
      >
        <button onClick={flip} title={words.sort(label)}>
          {label}
          <span aria-hidden="true">{sorted ? (filter.descending ? " ↓" : " ↑") : ""}</span>
        </button>
      </div>
    );
  };

  return (
    <div
      role="table"
      class={`table card ${hasRtt ? "with-rtt" : ""}`}
      aria-label={words.title}
      aria-rowcount={devices.length + 1}
    >
      <div role="rowgroup" class="head">
        <div role="row" aria-rowindex={1}>
          {head("id", words.device)}
          {head("state", words.state)}
          {head("gateway", words.gateway)}
          {head("since", words.since)}
          {hasRtt && head("rtt", words.rtt)}
          {head("last", words.last)}
          {head("thought", words.thought)}
          {head("sound", words.sound)}
        </div>
      </div>
      <div
        ref={box}
        role="rowgroup"
        class="rows"
        onKeyDown={move}
        onScroll={({ currentTarget }) => setSight({ top: currentTarget.scrollTop, height: currentTarget.clientHeight })}
      >
        <div class="space" role="presentation" style={{ height: `${devices.length * rowHeight}px` }}>
          {indexes.map((index) => (
            <Row
              key={index}
              at={index}
              device={devices[index] as DeviceView}
              top={index * rowHeight}
              now={now}
              current={index === current}
              hasRtt={hasRtt}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

function Row(props: {
  readonly at: number;
  readonly device: DeviceView;
  readonly top: number;
  readonly now: number;
  readonly current: boolean;
  readonly hasRtt: boolean;
}) {
  const { at, device, top, now, current, hasRtt } = props;
  const { fleet: words, device: more } = useWords();
  const { last } = device;
  return (
    <div
      role="row"
      data-at={at}
      aria-rowindex={at + 2}
      class={at % 2 ? "odd" : ""}
      style={{ transform: `translateY(${top}px)` }}
    >
      <div role="cell" class="id">
        <a href={linkDevice(device.id)} tabIndex={current ? 0 : -1}>
          {device.id}
        </a>
      </div>
      <div role="cell" class="state">
        <span class={`dot ${device.state}`}>{words.states[device.state]}</span>
      </div>
      <div role="cell" class="gateway">
        {device.gateway}
      </div>
      <div role="cell" class="since">
        {showAge(device.since, now)}
      </div>
      {hasRtt && (
        <div role="cell" class="rtt">
          {showMs(device.rtt)}
        </div>
      )}
      <div role="cell" class="last">
        {last ? (
          <span class={last.outcome === "played" ? "" : "bad"}>
            {showAge(last.at, now)} · {more.outcomes[last.outcome] ?? last.outcome}
          </span>
        ) : (
          <span class="quiet">{words.never}</span>
        )}
      </div>
      <div role="cell" class="thought">
        {showMs(last?.thought)}
      </div>
      <div role="cell" class="sound">
        {showMs(last?.sound)}
      </div>
    </div>
  );
}

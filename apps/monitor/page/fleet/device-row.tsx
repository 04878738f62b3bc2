import { turnOutcomes } from "@voxbus/protocol";
import type { DeviceView } from "../../src/live/live.ts";
import { linkDevice } from "../shared/route.ts";
import { showAge, showMs } from "../shared/show.ts";
import { StateDot } from "../shared/state-dot.tsx";
import type { FleetRow } from "../shared/state-of.ts";
import { useWords } from "../shared/words.ts";

/** A device's row in the table, `top` px below the first. */
export function DeviceRow(props: {
  readonly index: number;
  readonly row: FleetRow;
  readonly top: number;
  readonly now: number;
  readonly isCurrent: boolean;
  readonly hasRtt: boolean;
  readonly edit: (id: string) => void;
}) {
  const { index, row, top, now, isCurrent, hasRtt, edit } = props;
  const { id, known, online } = row;
  const { fleet: words } = useWords();
  const tabIndex = isCurrent ? 0 : -1;
  return (
    <div
      role="row"
      data-at={index}
      aria-rowindex={index + 2}
      class={index % 2 ? "odd" : ""}
      style={{ transform: `translateY(${top}px)` }}
    >
      <div role="cell" class="id">
        <a href={linkDevice(id)} tabIndex={tabIndex}>
          {known?.name !== undefined && <b>{known.name} </b>}
          <span>{id}</span>
        </a>
      </div>
      <div role="cell" class="state">
        <StateDot device={row} />
      </div>
      <div role="cell" class="group">
        {known?.group}
      </div>
      <div role="cell" class="gateway">
        {online?.gateway}
      </div>
      <div role="cell" class="seen">
        <Seen row={row} now={now} />
      </div>
      <div role="cell" class="firmware">
        {known?.firmware}
      </div>
      {hasRtt && (
        <div role="cell" class="rtt">
          {online && showMs(online.rtt)}
        </div>
      )}
      <LastTurnCells online={online} now={now} />
      <div role="cell" class="edit">
        <button tabIndex={tabIndex} aria-label={words.edit(known?.name ?? id)} onClick={() => edit(id)}>
          …
        </button>
      </div>
    </div>
  );
}

/** How long a device has been online, or how long ago it was here. */
function Seen({ row: { known, online }, now }: { readonly row: FleetRow; readonly now: number }) {
  const { fleet: words } = useWords();
  if (online) return <>{showAge(online.since, now)}</>;
  if (known?.lastSeen === undefined) return <span class="quiet">{words.neverSeen}</span>;
  return <span class="quiet">{words.ago(showAge(known.lastSeen, now))}</span>;
}

function LastTurnCells({ online, now }: { readonly online: DeviceView | undefined; readonly now: number }) {
  const { fleet: words, device: more } = useWords();
  const last = online?.last;
  return (
    <>
      <div role="cell" class="last">
        {last ? (
          <span class={turnOutcomes[last.outcome].class === "fault" ? "bad" : ""}>
            {showAge(last.at, now)} · {more.outcomes[last.outcome]}
          </span>
        ) : (
          online && <span class="quiet">{words.never}</span>
        )}
      </div>
      <div role="cell" class="thought">
        {online && showMs(last?.thought)}
      </div>
      <div role="cell" class="sound">
        {online && showMs(last?.sound)}
      </div>
    </>
  );
}

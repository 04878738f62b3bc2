import { turnOutcomes } from "@voxbus/protocol";
import type { DeviceView } from "../../src/live/live.ts";
import { linkDevice } from "../shared/route.ts";
import { showAge, showMs } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";

/** A device's row in the table, `top` px below the first. */
export function DeviceRow(props: {
  readonly index: number;
  readonly device: DeviceView;
  readonly top: number;
  readonly now: number;
  readonly isCurrent: boolean;
  readonly hasRtt: boolean;
}) {
  const { index, device, top, now, isCurrent, hasRtt } = props;
  const { fleet: words } = useWords();
  return (
    <div
      role="row"
      data-at={index}
      aria-rowindex={index + 2}
      class={index % 2 ? "odd" : ""}
      style={{ transform: `translateY(${top}px)` }}
    >
      <div role="cell" class="id">
        <a href={linkDevice(device.id)} tabIndex={isCurrent ? 0 : -1}>
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
      <LastTurnCells last={device.last} now={now} />
    </div>
  );
}

function LastTurnCells({ last, now }: { readonly last: DeviceView["last"]; readonly now: number }) {
  const { fleet: words, device: more } = useWords();
  return (
    <>
      <div role="cell" class="last">
        {last ? (
          <span class={turnOutcomes[last.outcome].class === "fault" ? "bad" : ""}>
            {showAge(last.at, now)} · {more.outcomes[last.outcome]}
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
    </>
  );
}

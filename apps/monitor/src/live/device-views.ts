import type { PresenceView } from "@voxbus/presence";
import type { Presence } from "@voxbus/protocol";
import type { Closer, On } from "@voxbus/subscriber";
import type { Turns } from "../turns/turns.ts";
import type { DevicesChange, DeviceView } from "./live.ts";

/** The devices that are online, as the page shows them. */
export interface DeviceViews extends Closer {
  view(id: string, presence: Presence): DeviceView;
  /** The changes since the last call. */
  takeChanges(): DevicesChange;
  /** Every device, as of the last call of `takeChanges`. */
  all(): readonly DeviceView[];
}

/** Creates the views. They follow events for the devices' round trips. */
export function createDeviceViews(parts: {
  readonly on: On;
  readonly presence: PresenceView;
  readonly turns: Turns;
}): DeviceViews {
  const { on, presence, turns } = parts;
  const shown = new Map<string, { readonly presence: Presence; readonly view: DeviceView }>();
  const rtts = new Map<string, number>();
  const events = on.event(({ state, rtt }, { device }) => {
    if (state === "closed") rtts.delete(device);
    else if (rtt !== undefined) rtts.set(device, rtt);
  });

  const view = (id: string, { features, ...presence }: Presence): DeviceView => {
    const { gateway, session, since, state, audio, remote } = presence;
    const last = turns.last(id);
    const more = { ...(features.mcp === true && { tools: true }), ...(last && { last }) };
    return { id, gateway, session, since, state, audio, remote, rtt: rtts.get(id), ...more };
  };

  return {
    view,
    takeChanges() {
      const put: DeviceView[] = [];
      const seen = new Set<string>();
      for (const [id, found] of presence.devices()) {
        seen.add(id);
        const known = shown.get(id);
        if (known?.presence === found && known.view.last === turns.last(id) && known.view.rtt === rtts.get(id)) {
          continue;
        }
        const entry = { presence: found, view: view(id, found) };
        shown.set(id, entry);
        put.push(entry.view);
      }
      const gone = [...shown.keys()].filter((id) => !seen.has(id));
      for (const id of gone) {
        shown.delete(id);
        rtts.delete(id);
      }
      return { put, gone };
    },
    all: () => [...shown.values()].map(({ view }) => view),
    close: () => events.close(),
  };
}

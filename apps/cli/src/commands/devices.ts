import { watchPresence, watchProfiles } from "@voxbus/presence";
import { buckets, groupsOf } from "@voxbus/protocol";
import { jsonOption } from "../arguments.ts";
import { command, exitCodes } from "../command.ts";
import { toJson, toText } from "../json.ts";
import { formatTable } from "../table.ts";

/** Lists the devices that are online or were seen. */
export const devices = command({
  name: "devices",
  summary: "Lists the devices, online ones first",
  options: {
    online: { meaning: "only those that are online" },
    group: { value: "GROUP", meaning: "only those of this group" },
    ...jsonOption,
  },
  details: `
It lists devices that are online, those that were seen within 90 days, and those in the registry.

  voxbus devices --online
  voxbus devices --group kitchen --json`,
  async run({ options }, { connect, print, tell }) {
    const bus = await connect();
    const log = { warn: () => undefined };
    const [presence, profiles, records, registry] = await Promise.all([
      watchPresence(bus),
      watchProfiles(bus, log),
      bus.bucket(buckets.devices).watch(),
      bus.bucket(buckets.registry).watch(),
    ]);
    const online = new Map(presence.devices());
    const ids = [...new Set([...online.keys(), ...records.entries.keys(), ...registry.entries.keys()])].toSorted();
    const views = ids.map((id) => {
      const here = online.get(id);
      const { lastSeen, firmware, board } = records.entries.get(id)?.value ?? {};
      const { name, allowed } = registry.entries.get(id)?.value ?? {};
      return {
        id,
        name,
        allowed,
        online: here !== undefined,
        groups: groupsOf(profiles.of(id)),
        gateway: here?.gateway,
        session: here?.session,
        state: here?.state,
        since: here?.since,
        lastSeen: here === undefined ? lastSeen : undefined,
        firmware,
        board,
      };
    });
    const shown = views
      .filter((view) => view.online || !options.online)
      .filter((view) => options.group === undefined || view.groups.includes(options.group))
      .toSorted((a, b) => Number(b.online) - Number(a.online));
    for (const watch of [presence, profiles, records, registry]) watch.close();
    if (options.json) for (const view of shown) print(toJson(view));
    else if (shown.length === 0) tell("no devices");
    else {
      const rows = shown.map(
        ({ id, name = "-", allowed, state = "offline", groups, gateway = "-", firmware = "-", ...times }) => {
          const time = times.since ?? times.lastSeen;
          const shownTime = time === undefined ? "-" : new Date(time).toISOString();
          const shownState = allowed === false ? "disabled" : state;
          return [id, toText(name), shownState, groups.join(", ") || "-", gateway, toText(firmware), shownTime];
        },
      );
      print(formatTable(["device", "name", "state", "groups", "gateway", "firmware", "since, or last seen"], rows));
    }
    return exitCodes.ok;
  },
});

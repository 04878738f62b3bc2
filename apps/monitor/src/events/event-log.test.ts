import { expect, test } from "vitest";
import { eventKinds, type ApiEvent, type EventGap } from "./api-event.ts";
import { createEventLog, type EventFilter, type EventLog } from "./event-log.ts";

const all: EventFilter = { kinds: new Set(eventKinds) };
const online = (n: number, device = "d"): ApiEvent => ({
  kind: "device-online",
  key: `k${n}`,
  at: n,
  device,
  session: "s",
  gateway: "g",
});

/** Reads a log from now on, or from after an id. */
function read(log: EventLog, { after, ...filter }: Partial<EventFilter> & { readonly after?: string } = {}) {
  const keys: string[] = [];
  const ids: string[] = [];
  const gaps: EventGap[] = [];
  const event = ({ key }: ApiEvent, id: string) => {
    keys.push(key);
    ids.push(id);
  };
  const following = log.follow({ ...all, ...filter }, { event, gap: (gap) => gaps.push(gap) }, after);
  return { keys, ids, gaps, close: () => following.close() };
}

test("event log: a reader that comes back gets what it has missed, once and in order, and no gap", () => {
  const log = createEventLog();
  const first = read(log);
  log.add(online(1));
  log.add(online(2));
  first.close();
  for (const n of [3, 4]) log.add(online(n));
  const again = read(log, { after: first.ids.at(-1)! });
  log.add(online(5));
  expect(first.keys).toEqual(["k1", "k2"]);
  expect(again).toMatchObject({ keys: ["k3", "k4", "k5"], gaps: [] });
  expect(read(log, { after: again.ids.at(-1)! })).toMatchObject({ keys: [], gaps: [] });
});

test("event log: a reader that was away for too long is told so, and gets what is kept", () => {
  const log = createEventLog(3);
  const first = read(log);
  for (let n = 1; n <= 9; n += 1) log.add(online(n));
  expect(read(log, { after: first.ids[4]! })).toMatchObject({
    keys: ["k7", "k8", "k9"],
    gaps: [{ reason: "forgotten" }],
  });
  expect(read(log, { after: first.ids[5]! })).toMatchObject({ keys: ["k7", "k8", "k9"], gaps: [] });
});

test("event log: a reader of another monitor is told so, and goes on from the time of its last event", () => {
  const [one, other] = [createEventLog(), createEventLog()];
  const first = read(one);
  for (const n of [1, 2, 3]) {
    one.add(online(n));
    other.add(online(n));
  }
  expect(read(other, { after: first.ids[1]! })).toMatchObject({
    keys: ["k2", "k3"],
    gaps: [{ reason: "other-monitor" }],
  });
});

test.each(["", "x", "1.2.3", `${"0".repeat(26)}.1`, "0".repeat(26) + ".9".repeat(40)])(
  "event log: the id '%s' is a gap, and no error",
  (after) => {
    const log = createEventLog();
    log.add(online(1));
    expect(read(log, { after })).toMatchObject({ keys: [], gaps: [{ reason: "other-monitor" }] });
  },
);

test("event log: an id of the future is no gap", () => {
  const log = createEventLog();
  const first = read(log);
  log.add(online(1));
  expect(read(log, { after: first.ids[0]!.replace(".1.", ".99.") })).toMatchObject({ keys: [], gaps: [] });
});

test("event log: a reader gets the kinds and the device that it wants", () => {
  const log = createEventLog();
  const [kinds, device] = [read(log, { kinds: new Set(["gateway"] as const) }), read(log, { device: "d2" })];
  log.add(online(1, "d1"));
  log.add(online(2, "d2"));
  log.add({ kind: "gateway", key: "g", at: 3, gateway: "g1", state: "up" });
  expect(kinds.keys).toEqual(["g"]);
  expect(device.keys).toEqual(["k2"]);
});

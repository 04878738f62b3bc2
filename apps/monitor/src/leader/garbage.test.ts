import { expect, test } from "vitest";
import { findStranded } from "./garbage.ts";

const entry = (id: string, gateway: string, epoch: string) => ({ id, revision: 1, gateway, epoch });
const lease = { id: "g1", epoch: "e2", address: "", load: { connections: 0, speaking: 0 }, draining: false, since: 0 };
const entries = [entry("mine", "g1", "e2"), entry("older", "g1", "e1"), entry("gone", "g2", "e1")];
const keys = (found: ReturnType<typeof findStranded>) => found.purge.map(({ id }) => id);

test("stranded: what processes left that have no lease, once they were missed for long enough", () => {
  const first = findStranded(entries, [lease], { missing: new Map(), now: 1000, afterMs: 600 });
  expect(keys(first)).toEqual([]);
  const early = findStranded(entries, [lease], { missing: first.missing, now: 1599, afterMs: 600 });
  expect(keys(early)).toEqual([]);
  const due = findStranded(entries, [lease], { missing: early.missing, now: 1600, afterMs: 600 });
  expect(keys(due)).toEqual(["older", "gone"]);
});

test("stranded: a gateway that was back in between is missed anew", () => {
  const first = findStranded(entries, [lease], { missing: new Map(), now: 0, afterMs: 600 });
  const back = { ...lease, id: "g2", epoch: "e1" };
  const between = findStranded(entries, [lease, back], { missing: first.missing, now: 300, afterMs: 600 });
  const later = findStranded(entries, [lease], { missing: between.missing, now: 700, afterMs: 600 });
  expect(keys(later)).toEqual(["older"]);
});

import { expect, test } from "vitest";
import { findGarbage } from "./garbage.ts";

const entry = (id: string, gateway: string, epoch: string) => ({ id, revision: 1, gateway, epoch });
const lease = { id: "g1", epoch: "e2", address: "", load: { connections: 0, speaking: 0 }, draining: false, since: 0 };
const entries = [entry("mine", "g1", "e2"), entry("older", "g1", "e1"), entry("gone", "g2", "e1")];
const keys = (found: ReturnType<typeof findGarbage>) => found.entries.map(({ id }) => id);

test("garbage: the entries of processes without a lease, once they were missing for long enough", () => {
  const first = findGarbage(entries, [lease], { missing: new Map(), now: 1000, afterMs: 600 });
  expect(keys(first)).toEqual([]);
  const early = findGarbage(entries, [lease], { missing: first.missing, now: 1599, afterMs: 600 });
  expect(keys(early)).toEqual([]);
  const due = findGarbage(entries, [lease], { missing: early.missing, now: 1600, afterMs: 600 });
  expect(keys(due)).toEqual(["older", "gone"]);
});

test("garbage: the time starts again for a gateway that was back in between", () => {
  const first = findGarbage(entries, [lease], { missing: new Map(), now: 0, afterMs: 600 });
  const back = { ...lease, id: "g2", epoch: "e1" };
  const between = findGarbage(entries, [lease, back], { missing: first.missing, now: 300, afterMs: 600 });
  const later = findGarbage(entries, [lease], { missing: between.missing, now: 700, afterMs: 600 });
  expect(keys(later)).toEqual(["older"]);
});

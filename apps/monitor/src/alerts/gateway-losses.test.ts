import { expect, test } from "vitest";
import { findLosses, type KnownGateway } from "./gateway-losses.ts";

const lease = (id: string, epoch = "e1", draining = false) => ({
  id,
  epoch,
  draining,
  address: "",
  load: { connections: 0, speaking: 0 },
  since: 0,
});
type Leases = Parameters<typeof findLosses>[1]["leases"];

/** Makes checks one after the other, each at its second; gives the loss of g1 at each. */
function check(...checks: readonly (readonly [second: number, leases: Leases, leaving?: readonly string[]])[]) {
  let known: ReadonlyMap<string, KnownGateway> = new Map();
  return checks.map(([second, leases, leaving = []]) => {
    const seen = { leases, leaving: new Set(leaving), now: second * 1000, graceMs: 3000, forgetMs: 600_000 };
    const losses = findLosses(known, seen);
    known = losses.known;
    return losses.lost.get("g1");
  });
}

test("gateways: a gateway whose lease is missing for the grace time is lost until it is back", () => {
  expect(check([0, [lease("g1")]], [1, []], [3, []], [4, []], [9, []], [10, [lease("g1", "e2")]], [11, []])).toEqual([
    0, 0, 0, 1, 1, 0, 0,
  ]);
});

test("gateways: a gateway that drained, or announced that it stops, is not lost", () => {
  expect(check([0, [lease("g1", "e1", true)]], [1, []], [9, []])).toEqual([0, 0, undefined]);
  expect(check([0, [lease("g1")]], [1, [], ["g1"]], [9, []])).toEqual([0, 0, undefined]);
  expect(check([0, [lease("g1")]], [1, [lease("g1")], ["g1"]], [2, []], [9, []])).toEqual([0, 0, 0, undefined]);
});

test("gateways: a gateway whose id another process took was lost once, unless it had announced that it leaves", () => {
  expect(check([0, [lease("g1")]], [1, [lease("g1", "e2")]], [2, [lease("g1", "e2")]])).toEqual([0, 1, 0]);
  expect(check([0, [lease("g1")]], [1, [lease("g1", "e2")], ["g1"]], [2, []], [9, []])).toEqual([0, 0, 0, 1]);
});

test("gateways: a gateway that stays away is given up", () => {
  expect(check([0, [lease("g1")]], [1, []], [600, []], [601, []], [602, []])).toEqual([0, 0, 1, 0, undefined]);
});

import { expect, test } from "vitest";
import type { DeviceView, KnownView } from "../../src/live/live.ts";
import { stateOf } from "../shared/state-of.ts";
import { createRowJoin, hasState } from "./fleet-rows.ts";

const known = (id: string, more: Partial<KnownView> = {}): KnownView => ({ id, registered: true, ...more });
const online = (id: string): DeviceView => ({ id, gateway: "g", session: "s", since: 0, state: "idle", remote: "" });
const byId = <T extends { readonly id: string }>(all: readonly T[]) => new Map(all.map((one) => [one.id, one]));

test("rows: each device stands once, whether it is known, online or both, and stays the same while nothing changes", () => {
  const join = createRowJoin();
  const [all, sessions] = [byId([known("a"), known("b")]), byId([online("b"), online("c")])];
  const rows = join(all, sessions);
  expect(rows.map((row) => [row.id, row.known !== undefined, row.online !== undefined])).toEqual([
    ["a", true, false],
    ["b", true, true],
    ["c", false, true],
  ]);
  const again = join(new Map(all).set("a", known("a", { name: "Hall" })), sessions);
  expect(again.map((row, at) => row === rows[at])).toEqual([false, true, true]);
});

test("states: a device without a session is offline or disabled, and one with a session shows it", () => {
  const off = { id: "a", known: known("a", { allowed: false }) };
  expect(stateOf(off)).toBe("disabled");
  expect(stateOf({ id: "a", known: known("a") })).toBe("offline");
  expect(stateOf({ ...off, online: online("a") })).toBe("idle");
  expect(["", "online", "offline", "disabled", "idle"].filter((state) => hasState(off, state))).toEqual([
    "",
    "disabled",
  ]);
});

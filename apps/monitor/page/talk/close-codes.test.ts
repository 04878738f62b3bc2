import { closeCodes } from "@voxbus/protocol";
import { expect, test } from "vitest";
import { reconnectsAfter } from "./close-codes.ts";

test.each(Object.values(closeCodes))("reconnect: the page follows the table for $code ($reason)", (row) => {
  expect(reconnectsAfter(row.code)).toBe(row.reconnect);
});

test("reconnect: the page connects again after a flood and after a broken connection, not after an unknown code", () => {
  expect([4004, 1006, 4999].map(reconnectsAfter)).toEqual([true, true, false]);
});

import { expect, test } from "vitest";
import type { Alert, AlertRecord } from "@voxbus/protocol";
import { addStep, alertId, raisedAt } from "./alert-record.ts";

const step = (id: string, at: number, resolved = false): Alert => ({
  id,
  at,
  severity: "medium",
  name: "memory",
  target: "g1",
  message: "",
  resolved,
});
const ids = ({ steps }: AlertRecord) => steps.map(({ id, resolved }) => `${id}${resolved ? " over" : ""}`);

test("alert record: a new alert drops the delivered steps of the one before", () => {
  const told = { steps: [step("a", 1), step("a", 2, true)], published: 2, posted: 2 };
  expect(addStep(told, step("b", 3), true)).toEqual({ steps: [step("b", 3)], published: 0, posted: 0 });
  const next = addStep({ ...told, posted: 1 }, step("b", 3), true);
  expect(ids(next)).toEqual(["a over", "b"]);
  expect(next).toMatchObject({ published: 1, posted: 0 });
  expect(raisedAt(next)).toBe(3);
});

test("alert record: keeps all steps of one alert, which began with the first", () => {
  let record = addStep(undefined, step("a", 1), true);
  record = addStep({ ...record, published: 1, posted: 1 }, step("a", 5), true);
  record = addStep({ ...record, published: 2 }, step("a", 9, true), true);
  expect(ids(record)).toEqual(["a", "a", "a over"]);
  expect(record).toMatchObject({ published: 2, posted: 1 });
  expect(raisedAt(record)).toBe(1);
});

test("alert record: without a webhook no step waits to be posted", () => {
  const record = addStep(undefined, step("a", 1), false);
  expect(record).toMatchObject({ published: 0, posted: 1 });
  expect(addStep(record, step("a", 2, true), false)).toMatchObject({ published: 0, posted: 2 });
});

test("alert id: the name and the target", () => {
  expect(alertId("memory", "g1")).toBe("memory.g1");
});

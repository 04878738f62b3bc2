import { expect, test } from "vitest";
import { findNamed } from "./reminder-names.ts";

test.each([
  ["tea", ["tea", "steak"], ["tea"]],
  ["steak", ["tea", "steak"], ["steak"]],
  ["steak", ["tea"], []],
  ["eggplant", ["egg", "eggplant"], ["eggplant"]],
  ["eggplant", ["egg"], []],
  ["the egg timer", ["egg", "eggplant"], ["egg"]],
  ["The Tea Timer!", ["tea", "steak"], ["tea"]],
  ["rice", ["price"], []],
  ["price", ["rice"], []],
  ["the green tea timer", ["tea", "green tea"], ["green tea"]],
  ["tea", ["tea", "green tea"], ["tea"]],
  ["tea and rice", ["tea", "rice", "egg"], ["tea", "rice"]],
  ["tea", ["tea", "Tea", "egg"], ["tea", "Tea"]],
  ["Reis", ["Eis", "Reis"], ["Reis"]],
  ["den Reistimer", ["Eis", "Reis"], ["Reis"]],
  ["Teetimer", ["Tee", "Eistee"], ["Tee"]],
  ["l'œuf", ["œuf", "bœuf"], ["œuf"]],
  ["bœuf", ["œuf"], []],
  ["面条计时器", ["面条", "鸡蛋"], ["面条"]],
  ["5 分钟", ["5分钟", "15分钟"], ["5分钟"]],
  ["鸡蛋", ["鸡", "鸡蛋"], ["鸡蛋"]],
  ["鸡蛋计时器", ["鸡", "鸡蛋"], ["鸡蛋"]],
  ["卵のタイマー", ["卵", "麺"], ["卵"]],
  ["!?", ["!", "tea"], []],
])("reminder names: %s means, of %j, %j", (asked, names, meant) => {
  expect(findNamed(asked, names, (name) => ({ name, labels: [] }))).toEqual(meant);
});

test("reminder names: a length or a time of day has to be exactly what was asked", () => {
  const find = (asked: string) =>
    findNamed(asked, ["5 minutes", "15 minutes", "1 hour and 5 minutes", "7:30 AM"], (label) => ({
      name: undefined,
      labels: [label],
    }));
  expect(find("5 minutes")).toEqual(["5 minutes"]);
  expect(find("1 hour and 5 minutes")).toEqual(["1 hour and 5 minutes"]);
  expect(find("7:30 am")).toEqual(["7:30 AM"]);
  expect(find("minutes")).toEqual([]);
});

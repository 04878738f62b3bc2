import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Problem } from "../http/problems.ts";
import { formatCsv, parseCsv } from "./csv.ts";
import { fileKinds } from "./device-file.ts";
import type { KnownDevice } from "./known-devices.ts";

const { csv, jsonl } = fileKinds;
const problemsOf = (read: () => unknown): readonly (readonly [string, string])[] => {
  try {
    read();
  } catch (error) {
    if (error instanceof Problem) return error.errors.map(({ field, message }) => [field, message]);
    throw error;
  }
  return [];
};

test("CSV: any cells come back as they were written", () => {
  const cell = fc.string({ unit: fc.constantFrom('"', ",", "\r", "\n", "a", "é", " ") });
  fc.assert(
    fc.property(fc.array(fc.array(cell, { minLength: 1 }), { minLength: 1 }), (rows) => {
      expect(parseCsv(formatCsv(rows))).toEqual(rows);
    }),
  );
});

test.each(['a,"b', 'a"b', '"a"b', '"a" ,b'])("CSV: %j is refused by the number of its row", (text) => {
  expect(() => parseCsv(`one\n${text}\n`)).toThrow(expect.objectContaining({ row: 2 }));
});

test.each([csv, jsonl])("export: what $type holds can be imported, and gives every device its values again", (kind) => {
  const devices: readonly KnownDevice[] = [
    { id: "aa:bb:cc:dd:ee:01", registered: true, name: 'the "big", one', group: "hall", allowed: false, note: "a\nb", state: "offline", firstSeen: 5, lastSeen: 6, firmware: "2.4.2", board: "lamp" },
    { id: "plain", registered: false, state: "idle", gateway: "g1" },
  ]; // prettier-ignore
  expect(kind.parse(kind.format(devices))).toEqual([
    {
      id: "aa:bb:cc:dd:ee:01",
      change: { name: 'the "big", one', group: "hall", allowed: false, note: "a\nb" },
    },
    { id: "plain", change: { name: null, group: null, allowed: null, note: null } },
  ]);
});

test("import: a column that is left out changes nothing, and an empty cell removes the value", () => {
  expect(csv.parse("\u{FEFF}id,name\r\nAA:BB:CC:DD:EE:01,\r\n\r\nb,Bath\n")).toEqual([
    { id: "aa:bb:cc:dd:ee:01", change: { name: null } },
    { id: "b", change: { name: "Bath" } },
  ]);
  expect(jsonl.parse('{"id":"a","allowed":true}\n\n{"id":"b","note":null}')).toEqual([
    { id: "a", change: { allowed: true } },
    { id: "b", change: { note: null } },
  ]);
});

test("import: each bad row is named by its number and its field", () => {
  const file = "id,name,group,allowed\na b,x,,\nc,x,a.b,maybe\nd,x\nc2,,,true\nc2,,,false\n";
  expect(problemsOf(() => csv.parse(file)).map(([field]) => field)).toEqual([
    "row 2, id",
    "row 3, group",
    "row 3, allowed",
    "row 4",
    "row 6, id",
  ]);
  expect(
    problemsOf(() => jsonl.parse('{"id":"a"}\nnot json\n[]\n{"id":"b","nmae":"x"}')).map(([field]) => field),
  ).toEqual(["row 2", "row 3", "row 4, nmae"]);
});

test.each([
  ["", "row 1", "name the columns"],
  ["name\nx", "row 1", "name the columns"],
  ["id,id\na,b", "row 1", "twice"],
  ['id\n"a', "row 2", "quote"],
  [`id\n${"a\n".repeat(50_001)}`, "row 50002", "more than"],
  [",".repeat(1e6), "row 1", "more than 100 cells"],
])("import: the file %.9j… is refused at %s", (text, row, reason) => {
  const [[field, message] = [], ...others] = problemsOf(() => csv.parse(text));
  expect([field, others]).toEqual([row, []]);
  expect(message).toContain(reason);
});

test("import: of thousands of problems the first 100 are listed, and all are counted", () => {
  const file = `id\n${"a b\n".repeat(5000)}`;
  expect(problemsOf(() => csv.parse(file))).toHaveLength(100);
  expect(() => csv.parse(file)).toThrow("and 4999 more problems");
});

test("import: rows behind an empty line are not left out in silence", () => {
  const most = Array.from({ length: 50_000 }, (_, n) => `{"id":"a${n}"}\n`).join("");
  expect(jsonl.parse(most)).toHaveLength(50_000);
  expect(problemsOf(() => jsonl.parse(`${most}\n{"id":"b"}`)).map(([field]) => field)).toEqual(["row 50001"]);
});

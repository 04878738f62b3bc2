import {
  closeCodes,
  decodeFrame,
  DeviceHello,
  deviceMessages,
  dropReasons,
  emotions,
  encodeFrame,
  protocolErrors,
  refusals,
  ServerHello,
  serverMessages,
  type FramingVersion,
} from "@voxbus/protocol";
import type { z } from "@voxbus/subscriber";
import { describe, expect, it } from "vitest";
import { listFields, listStates } from "./fields.ts";
import { readBlocks, readLeadingNames, readList, readName, readPage, readTable, root } from "./markdown.ts";

type Transitions = Readonly<Record<string, Readonly<Record<string, string>>>>;

const page = readPage("docs/protocol.md");
const names = (marker: string) => readTable(page, marker).map(([cell]) => readName(cell));
const sorted = (list: Iterable<string>) => [...new Set(list)].toSorted();

/** The messages of the code: every `type` or `type/state`, and the fields of every type. */
function describeMessages(messages: Readonly<Record<string, z.ZodType>>) {
  return Object.entries(messages).map(([type, schema]) => {
    const states = listStates(schema);
    return {
      type,
      rows: states.length ? states.map((state) => `${type}/${state}`) : [type],
      fields: listFields(schema).filter((field) => field !== "type" && field !== "state"),
    };
  });
}

describe.each([
  ["device messages", deviceMessages],
  ["server messages", serverMessages],
] as const)("docs/protocol.md, %s", (marker, messages) => {
  const documented = readTable(page, `table: ${marker}`).map(([name, fields = ""]) => ({
    name: readName(name),
    fields: readLeadingNames(fields),
  }));
  const described = describeMessages(messages);

  it("messages: the table has every message in every state and no other", () => {
    expect(sorted(documented.map(({ name }) => name))).toEqual(sorted(described.flatMap(({ rows }) => rows)));
  });

  it.each(described)("fields: those of $type are those of its schema", ({ rows, fields }) => {
    const listed = documented.filter(({ name }) => rows.includes(name)).flatMap((row) => row.fields);
    expect(sorted(listed)).toEqual(sorted(fields));
  });
});

describe("docs/protocol.md, codes", () => {
  it("refusals: names and statuses are those of the code", () => {
    const documented = readTable(page, "table: refusals").map(([name, status]) => [readName(name), Number(status)]);
    expect(Object.fromEntries(documented)).toEqual(
      Object.fromEntries(Object.entries(refusals).map(([name, { status }]) => [name, status])),
    );
  });

  it("close codes: names, codes and reconnects are those of the code, and names are the reasons", () => {
    const documented = readTable(page, "table: close codes").map(([name, code, reconnect]) => [
      readName(name),
      { code: Number(code), reconnect: reconnect === "yes" },
    ]);
    expect(Object.fromEntries(documented)).toEqual(
      Object.fromEntries(Object.entries(closeCodes).map(([name, { code, reconnect }]) => [name, { code, reconnect }])),
    );
    expect(Object.values(closeCodes).map(({ reason }) => reason)).toEqual(Object.keys(closeCodes));
  });

  it("close codes: each is used once", () => {
    const codes = Object.values(closeCodes).map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
  });

  it.each([
    ["drop reasons", dropReasons],
    ["protocol errors", protocolErrors],
  ] as const)("%s: the table has every one and no other", (marker, table) => {
    expect(sorted(names(`table: ${marker}`))).toEqual(sorted(Object.keys(table)));
  });

  it("bad input: every counted name is a drop reason, a refusal or a close code", () => {
    const known = new Set(["-", ...[dropReasons, refusals, closeCodes].flatMap((table) => Object.keys(table))]);
    const counted = readTable(page, "table: bad input").flatMap(([, , cell = ""]) =>
      cell === "-" ? [] : cell.split(", ").map(readName),
    );
    expect(counted.length).toBeGreaterThan(10);
    expect(counted.filter((name) => !known.has(name))).toEqual([]);
  });

  it("life of a connection: the transitions are those of the gateway", async () => {
    const life = (await import(`${root}apps/gateway/dist/session/state.js`)) as { readonly transitions: Transitions };
    const rows = Object.entries(life.transitions).flatMap(([state, events]) =>
      Object.entries(events).map(([event, next]) => `${state} ${event} ${next}`),
    );
    const documented = readTable(page, "table: transitions").map((cells) => cells.map(readName).join(" "));
    expect(sorted(documented)).toEqual(sorted(rows));
  });

  it("emotions: the list is that of the code", () => {
    expect(readList(page, "list: emotions")).toEqual([...emotions]);
  });
});

describe("docs/protocol.md, examples", () => {
  const packet = Uint8Array.of(0xf8, 0xff, 0xfe);
  const examples = readTable(page, "table: framing examples").map(([version, bytes]) => ({
    version: Number(readName(version)) as FramingVersion,
    bytes: readName(bytes),
  }));

  it("framing: each version has an example", () => {
    expect(examples.map(({ version }) => version)).toEqual([1, 2, 3]);
  });

  it.each(examples)("framing: version $version is encoded and decoded byte for byte", ({ version, bytes }) => {
    const data = Buffer.from(bytes.replaceAll(" ", ""), "hex");
    expect(Buffer.from(encodeFrame(version, packet, 3000))).toEqual(data);
    const frame = decodeFrame(version, data);
    expect(Buffer.from(frame.packet)).toEqual(Buffer.from(packet));
    expect(frame.timestamp).toBe(version === 2 ? 3000 : 0);
  });

  it.each([
    ["device hello", DeviceHello],
    ["server hello", ServerHello],
  ] as const)("%s: is a valid one", (label, schema) => {
    const blocks = readBlocks(page, "json").filter((block) => block.label === label);
    expect(blocks).toHaveLength(1);
    expect(schema.safeParse(JSON.parse(blocks[0]?.text ?? "")).error).toBeUndefined();
  });
});

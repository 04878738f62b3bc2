import { describeContract } from "@voxbus/protocol";
import { describe, expect, it } from "vitest";
import { findBreaks, type Schema } from "./compare.ts";
import { listContracts, readContract } from "./released.ts";

const current = JSON.parse(JSON.stringify(Object.fromEntries(describeContract()))) as Readonly<Record<string, Schema>>;

/** The breaks that were made all the same. */
const made: Readonly<Record<string, readonly string[]>> = {
  // An older dialogue skips what it cannot read there, and leaves it to the program that wrote it.
  "buckets/reminders.json": [".text: now optional"],
  // An older program takes a list of engines for absent, and asks its configured engine.
  "buckets/profiles.json": ["asr", "tts", "llm"].flatMap((role) => [
    `.engines.${role}: another type`,
    `.engines.${role}: another pattern`,
  ]),
};

describe.each(listContracts())("the contract %s and that of the code", (file) => {
  const older = readContract(file);

  it.each(Object.keys(older))("%s: programs of both versions understand each other, field by field", (name) => {
    expect(findBreaks(older[name]!, current[name] ?? {})).toEqual(made[name] ?? []);
  });
});

describe("findBreaks", () => {
  const turn: Schema = {
    type: "object",
    properties: {
      v: { type: "integer", const: 1 },
      text: { type: "string", maxLength: 9 },
      state: { type: "string", enum: ["on", "off"] },
      played: { type: "array", items: [{ type: "integer" }] },
      body: {
        oneOf: [{ type: "object", properties: { type: { type: "string", const: "stop" } }, required: ["type"] }],
      },
    },
    required: ["v", "text"],
  };
  const change = (properties: Readonly<Record<string, Schema>>, required = turn.required): Schema => ({
    ...turn,
    properties: { ...turn.properties, ...properties },
    required,
  });
  const gone: Schema = { ...turn, properties: { v: turn.properties!["v"]!, text: turn.properties!["text"]! } };
  const kinds = (...types: readonly string[]): Schema => ({
    oneOf: types.map((type) => ({
      type: "object",
      properties: { type: { type: "string", const: type } },
      required: ["type"],
    })),
  });

  it.each([
    ["the same", turn],
    ["an optional field more", change({ tomorrow: { type: "string" } })],
    ["a word more", change({ state: { type: "string", enum: ["on", "off", "dim"] } })],
    ["a kind of map more", change({ body: kinds("stop", "start") })],
  ])("%s: is no break", (_, newer) => {
    expect(findBreaks(turn, newer)).toEqual([]);
  });

  it.each([
    ["fields that are gone", gone, [".state: gone", ".played: gone", ".body: gone"]],
    ["a field that became required", change({}, ["v", "text", "state"]), [".state: now required"]],
    ["a field that became optional", change({}, ["v"]), [".text: now optional"]],
    [
      "a required field more",
      change({ tomorrow: { type: "string" } }, ["v", "text", "tomorrow"]),
      [".tomorrow: new, and required"],
    ],
    ["another type", change({ text: { type: "integer", maxLength: 9 } }), [".text: another type"]],
    ["another limit", change({ text: { type: "string", maxLength: 8 } }), [".text: another maxLength"]],
    ["a limit more", change({ text: { type: "string", maxLength: 9, minLength: 1 } }), [".text: another minLength"]],
    ["another version", change({ v: { type: "integer", const: 2 } }), [".v: another type"]],
    ["a word that is gone", change({ state: { type: "string", enum: ["on"] } }), [".state: no off any more"]],
    ["a kind of map that is gone", change({ body: kinds("start") }), [".body<type stop>: gone"]],
    [
      "a list with more elements",
      change({ played: { type: "array", items: [{ type: "integer" }, { type: "integer" }] } }),
      [".played[]: another number of elements"],
    ],
  ])("%s: is a break", (_, newer, breaks) => {
    expect(findBreaks(turn, newer)).toEqual(breaks);
  });
});

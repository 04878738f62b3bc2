import { Profile, profileFields } from "@voxbus/protocol";
import { expect, test } from "vitest";
import { z } from "zod";
import { english } from "../shared/words-en.ts";
import { chinese } from "../shared/words-zh.ts";
import { describeFields, labelOf, readField, readForm } from "./profile-fields.ts";

const describe = (schema: z.ZodType) => describeFields(z.toJSONSchema(schema, { io: "input" }));
const fields = describe(Profile);
const names = fields.map(({ name }) => name);

test("profile form: it has every field of the schema, the long ones last", () => {
  expect(names.toSorted()).toEqual(profileFields.toSorted());
  expect(names.slice(-4)).toEqual(["prompt", "wakeWords", "groups", "tools"]);
});

test.each([
  ["English", english],
  ["Chinese", chinese],
])("profile form: every field of the schema has a label in %s", (_language, { character }) => {
  expect(names.filter((name) => !Object.hasOwn(character.fields, name))).toEqual([]);
});

test("profile form: kinds and ranges are those of the schema", () => {
  const lead = fields.find(({ name }) => name === "lead");
  expect(lead).toMatchObject({ kind: "number", schema: { minimum: 0, maximum: 3 } });
  const kinds = Object.fromEntries(fields.map(({ name, kind }) => [name, kind]));
  expect(kinds).toMatchObject({ voice: "text", prompt: "area", wakeWords: "lines", "engines.llm": "names" });
});

test("profile form: a field that is added to the schema appears with its description", () => {
  const added = Profile.extend({
    speed: z.number().min(0.5).max(2).default(1).describe("how fast the voice speaks"),
    mode: z.enum(["auto", "manual"]).optional(),
    muted: z.boolean().default(false),
  });
  const more = describe(added).filter(({ name }) => !names.includes(name));
  expect(more).toMatchObject([
    { name: "speed", kind: "number", schema: { minimum: 0.5, maximum: 2, description: "how fast the voice speaks" } },
    { name: "mode", kind: "choice", schema: { enum: ["auto", "manual"] } },
    { name: "muted", kind: "choice", schema: { type: "boolean" } },
  ]);
  expect(more.map((field) => labelOf(field, english.character.fields))).toEqual([
    "how fast the voice speaks",
    "mode",
    "muted",
  ]);
});

test("profile form: a filled form is the profile that was read, and empty fields are left out", () => {
  const own = {
    language: "de",
    engines: { asr: "openai", llm: ["local", "cloud"] },
    lead: 0,
    wakeWords: ["hey you", "hello"],
  };
  const filled = new Map(fields.map((field) => [field.name, readField(own, field)]));
  expect(readForm(fields, filled, own)).toEqual(own);
  expect(readForm(fields, new Map([["engines.llm", " "]]), own)).toEqual({});
});

test("profile form: what it cannot show is kept", () => {
  const odd = describe(z.object({ voice: z.string(), table: z.record(z.string(), z.number()) }));
  expect(readForm(odd, new Map([["voice", "amy"]]), { table: { a: 1 } })).toEqual({ voice: "amy", table: { a: 1 } });
});

import { Profile } from "@voxbus/protocol";
import { expect, test } from "vitest";
import { z } from "zod";
import { english } from "../shared/words-en.ts";
import { describeFields, labelOf, readField, readForm } from "./profile-fields.ts";

const describe = (schema: z.ZodType) => describeFields(z.toJSONSchema(schema, { io: "input" }));
const fields = describe(Profile);
const names = fields.map(({ name }) => name);

test("profile form: it has every field of the schema, the long ones last", () => {
  const simple = Object.keys(Profile.shape).filter((name) => name !== "engines");
  expect(names.toSorted()).toEqual([...simple, "engines.asr", "engines.llm", "engines.tts"].toSorted());
  expect(names.slice(-2)).toEqual(["prompt", "wakeWords"]);
});

test("profile form: kinds and ranges are those of the schema", () => {
  const lead = fields.find(({ name }) => name === "lead");
  expect(lead).toMatchObject({ kind: "number", schema: { minimum: 0, maximum: 3 } });
  const kinds = Object.fromEntries(fields.map(({ name, kind }) => [name, kind]));
  expect(kinds).toMatchObject({ voice: "text", prompt: "area", wakeWords: "lines", "engines.llm": "text" });
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
  expect(more.map((field) => labelOf(field, english.device.fields))).toEqual([
    "how fast the voice speaks",
    "mode",
    "muted",
  ]);
});

test("profile form: a filled form is the profile that was read, and empty fields are left out", () => {
  const own = { language: "de", engines: { asr: "openai" }, lead: 0, wakeWords: ["hey you", "hello"] };
  const filled = new Map(fields.map((field) => [field.name, readField(own, field)]));
  expect(readForm(fields, filled, own)).toEqual(own);
  expect(readForm(fields, new Map([["engines.llm", " "]]), own)).toEqual({});
});

test("profile form: what it cannot show is kept", () => {
  const odd = describe(z.object({ voice: z.string(), table: z.record(z.string(), z.number()) }));
  expect(readForm(odd, new Map([["voice", "amy"]]), { table: { a: 1 } })).toEqual({ voice: "amy", table: { a: 1 } });
});

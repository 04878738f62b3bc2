import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { enginesFileVariable } from "./engines-file.ts";
import { extraVariable } from "./extra.ts";
import type { EngineRole } from "./roles.ts";

const folder = mkdtempSync(join(tmpdir(), "voxbus-engines-"));
const path = join(folder, "engines.json");
const keyFile = join(folder, "key");
const secret = "sk-very-secret";

beforeAll(() => {
  writeFileSync(keyFile, `${secret}\n`);
  process.env["TEST_ENGINE_KEY"] = secret;
});
afterAll(() => void delete process.env["TEST_ENGINE_KEY"]);

const model = { name: "local", role: "llm", kind: "openai", url: "http://127.0.0.1:1/v1", model: "m" };

function read(content: unknown, role: EngineRole = "llm") {
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return enginesFileVariable(role).safeParse(path);
}
const problemsOf = (content: unknown, role?: EngineRole) =>
  read(content, role).error?.issues.map(({ message }) => message);
const withFields = (fields: object) => ({ engines: [{ ...model, ...fields }] });

test("engines file: gives each program the engines of its role, with their keys", () => {
  const file = {
    engines: [
      { ...model, extra: { reasoning_effort: "none" }, firstMs: 500 },
      { ...model, name: "cloud", keyFile },
      { ...model, name: "other", keyEnv: "TEST_ENGINE_KEY" },
      { name: "ears", role: "asr", kind: "openai", model: "w", keyFile: "/only/there/for/asr" },
      { name: "voice", role: "tts", kind: "embedded", voice: "rms" },
    ],
    usual: { llm: ["local", "cloud", "embedded"], tts: ["voice", "espeak"] },
  };
  const llm = read(file).data!;
  expect(llm.entries.map(({ name, key }) => [name, key])).toEqual([
    ["local", undefined],
    ["cloud", secret],
    ["other", secret],
  ]);
  expect(llm.entries[0]).toMatchObject({ extra: { reasoning_effort: "none" }, firstMs: 500 });
  expect(llm.usual).toEqual(["local", "cloud", "embedded"]);
  expect(read(file, "tts").data).toMatchObject({ entries: [{ name: "voice" }], usual: ["voice", "espeak"] });
  expect(read({}, "asr").data).toEqual({ entries: [], usual: undefined });
});

const wrong: readonly (readonly [string, unknown, readonly string[]])[] = [
  ["no JSON", "{", ["the file is not JSON"]],
  ["no object", [], ['expected a JSON object with the field "engines"']],
  ["another field", { engine: [] }, ['engine: is not a field. Did you mean engines?']],
  ["engines that are no list", { engines: {} }, ["engines: expected a list of engines"]],
  ["an engine that is no object", { engines: [7] }, ["engines.0: expected an object"]],
  ["a misspelled field", withFields({ modle: "m" }), ['engine "local": modle: is not a field. Did you mean model?']],
  ["a misspelled kind", withFields({ kind: "opnai" }), ['engine "local": kind: expected one of embedded, openai for the role llm. Did you mean openai?']],
  ["a missing model", withFields({ model: undefined }), ['engine "local": model: expected the name of a model']],
  ["a field of another role", withFields({ voice: "amy" }), ['engine "local": voice: does not apply to the kind openai of the role llm']],
  ["a key in the file", withFields({ key: secret }), ['engine "local": key: is not read from this file; name a variable ("keyEnv") or a file ("keyFile")']],
  ["a key that is not there", withFields({ keyEnv: "TEST_NO_KEY" }), ['engine "local": keyEnv: the variable TEST_NO_KEY is not set']],
  ["a file that is not there", withFields({ keyFile: "/no" }), ['engine "local": keyFile: /no cannot be read (ENOENT)']],
  ["two keys", withFields({ keyFile, keyEnv: "TEST_ENGINE_KEY" }), ['engine "local": keyEnv, keyFile: expected one of them']],
  ["a variable that is ignored", withFields({ keyEnv: "OPENAI_API_KEY" }), ['engine "local": keyEnv: expected a name that does not begin with OPENAI_, which is ignored']],
  ["a reserved field", withFields({ extra: { model: "x" } }), ['engine "local": extra: the field "model" is reserved, as are messages, stream, stream_options, tools, functions, user, n']],
  ["the name of a built-in engine", withFields({ name: "openai" }), ['engine "openai": name: expected another one, this is the name of a built-in engine']],
  ["a name twice", { engines: [model, model] }, ['engine "local": name: is used twice']],
  ["an unknown usual engine", { engines: [model], usual: { llm: ["locl"] } }, ['usual.llm: there is no engine "locl". Did you mean local?']],
  ["a usual engine twice", { engines: [model], usual: { llm: ["local", "local"] } }, ['usual.llm: the engine "local" is named twice']],
  ["an engine of another role", { engines: [model], usual: { asr: ["local"] } }, ['usual.asr: there is no engine "local"']],
  ["an unknown role", { usual: { lmm: ["embedded"] } }, ['usual.lmm: is not a field. Did you mean llm?']],
  ["raw sound without a rate", { engines: [{ ...model, role: "tts", format: "pcm" }] }, ['engine "local": format: pcm does not name its rate, set sampleRate (Hz)']],
]; // prettier-ignore

test.each(wrong)("engines file: %s is named with its engine and field", (_, content, problems) => {
  expect(problemsOf(content)).toEqual(problems);
});

test("engines file: all problems are told at once, and none quotes a secret", () => {
  const problems = problemsOf({
    engines: [
      { ...model, url: "ftp://x" },
      { name: "b", role: "lm", kind: "openai", key: secret },
    ],
  })!;
  expect(problems.length).toBeGreaterThanOrEqual(3);
  expect(problems.join()).not.toContain(secret);
  expect(problemsOf(`{"engines": [{"key": "${secret}"`)!.join()).not.toContain(secret);
});

test("engines file: at most 8 engines of a role", () => {
  const engines = Array.from({ length: 9 }, (_, at) => ({ ...model, name: `e${at}` }));
  expect(problemsOf({ engines })).toEqual(["engines: expected at most 8 of the role llm, got 9"]);
});

test("engines file: one that cannot be read is named", () => {
  expect(enginesFileVariable("llm").safeParse("/no/file").error?.issues[0]?.message).toBe(
    "/no/file cannot be read (ENOENT)",
  );
});

test.each(["no", "[]", "7", "null", '{"stream":false}', `{"a":"${"x".repeat(20_000)}"}`])(
  "extra fields: %s are refused",
  (text) => {
    expect(extraVariable("llm").safeParse(text).success).toBe(false);
  },
);

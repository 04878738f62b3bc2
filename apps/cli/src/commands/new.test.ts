import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findNameProblem, languages, writeProgram } from "../scaffold/scaffold.ts";
import { runCli, runCliHere } from "../test-cli.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "voxbus-new-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, ...args: readonly string[]) => runCli(["new", join(folder, name), ...args]);

test.each(Object.keys(languages))("new: a program in %s bears its name everywhere", async (lang) => {
  const { code, stdout } = await write("kitchen-timer", "--lang", lang, "--json");
  expect(code).toBe(0);
  const { files } = JSON.parse(stdout) as { files: readonly string[] };
  expect(files).toContain("README.md");
  const texts = files.map((file) => readFileSync(join(folder, "kitchen-timer", file), "utf8")).join("\n");
  expect(texts).toMatch(lang === "python" ? /name="kitchen_timer"/ : /"kitchen-timer"/);
  expect(`${texts}${files.join("\n")}`).not.toMatch(/doorbell/i);
});

test.each(Object.keys(languages))(
  "new: the page of a program in %s names the variable that its tests read",
  async (lang) => {
    const { stdout } = await write("timer", "--lang", lang, "--json");
    const { files } = JSON.parse(stdout) as { files: readonly string[] };
    const readme = readFileSync(join(folder, "timer", "README.md"), "utf8");
    const [, variable = ""] = /export (\w+)=\$\(node .*nats-server\.mjs\)/.exec(readme) ?? [];
    const tests = files.filter((file) => file.includes("test"));
    const texts = tests.map((file) => readFileSync(join(folder, "timer", file), "utf8")).join("\n");
    // In TypeScript it is the package for tests that reads the variable.
    if (lang === "ts") expect(texts).toContain("startNatsServer()");
    else expect(texts).toContain(`"${variable}"`);
    expect(variable).toBe("VOXBUS_NATS_SERVER");
  },
);

test("new: a program in TypeScript tests files, as Node 22 takes no folder", () => {
  expect(languages.ts.run).toMatch(/^node --test \S+\.js$/m);
});

test("new: a folder that exists is left alone", async () => {
  await write("timer", "--lang", "go");
  const before = readdirSync(join(folder, "timer"));
  const { code, stderr } = await write("timer", "--lang", "python");
  expect([code, stderr]).toEqual([1, expect.stringContaining("timer exists already")]);
  expect(readdirSync(join(folder, "timer"))).toEqual(before);
});

test.each([
  ["Timer", "go", /1 to 32 characters of a-z 0-9 -/],
  ["timer-", "go", /does not end with -/],
  ["1timer", "go", /begins with a letter/],
  [`t${"i".repeat(32)}`, "go", /1 to 32 characters/],
  ["gateway", "ts", /voxbus has a user gateway of its own/],
  ["async", "python", /cannot be the name of this program's module in Python/],
  ["token", "python", /cannot be the name of this program's module in Python/],
  ["sre-parse", "python", /cannot be the name of this program's module in Python/],
  ["main", "ts", /is a file of every program in TypeScript/],
  ["timer", "perl", /--lang is one of ts, python, go/],
])("new: %s in %s is refused, and nothing is written", async (name, lang, problem) => {
  const { code, stderr } = await write(name, "--lang", lang);
  expect([code, stderr]).toEqual([2, expect.stringMatching(problem)]);
  expect(readdirSync(folder)).toEqual([]);
});

test("new: an empty name is wrong usage", async () => {
  expect(await runCliHere(["new", "", "--lang", "go"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("NAME is empty"),
  });
});

test("new: no program can have the name of a user of accounts.conf", () => {
  const accounts = readFileSync(new URL("../../../../deploy/nats/accounts.conf", import.meta.url), "utf8");
  const users = [...accounts.matchAll(/^ +user: (\S+)$/gm)].map(([, user = ""]) => user);
  expect(users).toContain("listener");
  for (const user of users) expect(findNameProblem(user, "go")).toContain(user);
});

test("new: no program in Python can have the name of a module of the standard library", ({ skip }) => {
  const script = "import sys; print(*sys.stdlib_module_names)";
  const { status, stdout } = spawnSync("python3", ["-c", script], { encoding: "utf8" });
  skip(status !== 0, "python3 is not installed");
  const names = stdout
    .trim()
    .split(" ")
    .filter((name) => /^[a-z][a-z0-9_]*$/.test(name));
  expect(names.filter((name) => findNameProblem(name.replaceAll("_", "-"), "python") === undefined)).toEqual([]);
});

test("new: two files with the same path are never written", async () => {
  await expect(writeProgram(join(folder, "main"), "main", "ts")).rejects.toThrow("same path");
  expect(readdirSync(folder)).toEqual([]);
});

test("new: a folder that cannot be created is named", async () => {
  const { code, stderr } = await write("missing/timer", "--lang", "go");
  expect([code, stderr]).toEqual([1, expect.stringMatching(/Cannot write .*missing\/timer \(ENOENT\)/)]);
});

test("new: the language has to be chosen", async () => {
  const { code, stderr } = await write("timer");
  expect([code, stderr]).toEqual([2, expect.stringContaining("Choose a language with --lang: ts, python, go")]);
});

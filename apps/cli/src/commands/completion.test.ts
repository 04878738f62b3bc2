import { execFileSync, spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { runCli } from "../test-cli.ts";
import { commands } from "./index.ts";

const has = (shell: string) => spawnSync(shell, ["-c", "true"]).status === 0;

/** Asks bash for the completions of the last word of a command line. */
function complete(completion: string, ...words: readonly string[]): readonly string[] {
  const array = ["voxbus", ...words].map((word) => `'${word}'`).join(" ");
  const script = `${completion}\nCOMP_WORDS=(${array}); COMP_CWORD=${words.length}; _voxbus; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync("bash", ["-c", script], { encoding: "utf8" }).split("\n").filter(Boolean);
}

test.skipIf(!has("bash"))("completion: bash completes commands, their options, and the values of options", async () => {
  const { stdout } = await runCli(["completion", "bash"]);
  expect(complete(stdout, "")).toEqual([...commands.map(({ name }) => name), "help"]);
  expect(complete(stdout, "ta")).toEqual(["tail"]);
  expect(complete(stdout, "help", "ch")).toEqual(["check"]);
  expect(complete(stdout, "say", "kitchen", "--em")).toEqual(["--emotion"]);
  expect(complete(stdout, "say", "kitchen", "--emotion", "hap")).toEqual(["happy"]);
  expect(complete(stdout, "tail", "--")).toEqual(
    expect.arrayContaining(["--device", "--kind", "--turn", "--json", "--help"]),
  );
  expect(complete(stdout, "tail", "--device", "")).toEqual([]);
  expect(complete(stdout, "tail", "--kind", "in.t")).toEqual(["in.text"]);
  expect(complete(stdout, "tail", "--kind", "say,in.t")).toEqual(["say,in.text"]);
  expect(complete(stdout, "completion", "z")).toEqual(["zsh"]);
});

test.each(["bash", "zsh", "fish"])(
  "completion: %s can read its script, which names every command and option",
  async (shell) => {
    const { code, stdout } = await runCli(["completion", shell]);
    expect(code).toBe(0);
    for (const { name, options } of commands) {
      expect(stdout).toContain(name);
      for (const option of Object.keys(options)) expect(stdout).toMatch(new RegExp(`(?:--|-l )${option}\\b`));
    }
    // Without the shell, only the names are checked.
    if (has(shell))
      expect(spawnSync(shell, ["-n"], { input: stdout, encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
  },
);

test("completion: another shell is wrong usage", async () => {
  const { code, stderr } = await runCli(["completion", "constructor"]);
  expect([code, stderr]).toEqual([2, expect.stringContaining("SHELL is one of bash, zsh, fish")]);
});

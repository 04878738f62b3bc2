import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { CommandError, type Command } from "./command.ts";
import { commands } from "./commands/index.ts";
import { main, runCli, runCliHere } from "./test-cli.ts";

const runHere = (...args: readonly string[]) => runCliHere(args);

test("help: lists every command, and each command describes its parameters and options", async () => {
  const { code, stdout } = await runHere("help");
  expect(code).toBe(0);
  for (const { name } of commands) expect(stdout).toMatch(new RegExp(`^  ${name} `, "m"));
  for (const { name, options, parameters = [] } of commands) {
    const described = await runHere(name, "--help");
    expect(described).toEqual(await runHere("help", name));
    expect([described.code, described.stderr]).toEqual([0, ""]);
    const words = [...Object.keys(options).map((option) => `--${option}`), ...parameters];
    for (const word of words) expect(described.stdout).toContain(word);
    for (const line of described.stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(130);
  }
});

test.each([
  [[], /^$/, /Exit codes/],
  [["dance"], /"dance" is not a command. The commands are .*check/, /^$/],
  [["help", "dance"], /"dance" is not a command/, /^$/],
  [["check"], /check: SUBJECT is missing/, /^$/],
  [["check", "fleet.out", "more"], /Unexpected argument "more"/, /^$/],
  [["check", "fleet.out", "--loud"], /Unknown option '--loud'/, /^$/],
  [["check", "fleet.out", "--hex=yes"], /--hex/, /^$/],
  [["tail", "--device"], /--device/, /^$/],
  [["tail", "--device", "a", "--device=b"], /--device is given twice\.\n/, /^$/],
  [["tail", "--kind", "say", "--kind", "heard"], /--kind is given twice. Separate its values by commas\.\n/, /^$/],
  [["record", "f", "--device", "a", "--device", "b"], /--device is given twice. Separate its values by commas/, /^$/],
  [["say", "kitchen", "-5 degrees"], /Unknown option '-5'. Put -- before a text that begins with -\.\n/, /^$/],
])("command line: %j is wrong usage", async (args, stderr, stdout) => {
  const result = await runHere(...args);
  expect(result.code).toBe(2);
  expect(result.stderr).toMatch(stderr);
  expect(result.stdout).toMatch(stdout);
});

test.each([
  ["the interruption", (reason: unknown) => reason, 130, ""],
  ["its effect", (cause: unknown) => new Error("aborted", { cause }), 130, ""],
  ["another error", () => new CommandError("the disk is full"), 1, "voxbus work: the disk is full\n"],
])("command line: after Ctrl-C, %s ends it", async (_, errorOf, code, stderr) => {
  const stop = new AbortController();
  const run = async () => {
    stop.abort(new Error("interrupted"));
    throw errorOf(stop.signal.reason);
  };
  const work: Command = { name: "work", summary: "Works", options: {}, run };
  expect(await runCliHere(["work"], {}, "", { signal: stop.signal, list: [work] })).toEqual({
    code,
    stdout: "",
    stderr,
  });
});

test("process: prints its help or its version and ends with its exit code", async () => {
  const manifest = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(manifest) as { readonly version: string };
  expect(await runCli(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  expect(await runCli(["--help"])).toEqual({ ...(await runHere("--help")), code: 0 });
  expect((await runCli(["dance"])).code).toBe(2);
});

test("process: ends although the server at NATS's address never greets", async () => {
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  const url = `nats://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const { code, stderr } = await runCli(["devices"], { VOXBUS_NATS_URL: url });
  expect([code, stderr]).toEqual([1, expect.stringContaining(`${url} cannot be reached`)]);
  silent.close();
});

const hasTerminal = spawnSync("script", ["--version"]).status === 0;

test.skipIf(!hasTerminal)(
  "color: in a terminal a problem is red, but not with NO_COLOR (needs util-linux's script)",
  () => {
    const show = (env: Readonly<Record<string, string>>) => {
      const command = `echo 81a17601 | '${process.execPath}' '${main}' check fleet.out --hex`;
      const all = { PATH: process.env["PATH"], TERM: "xterm", ...env };
      // script gives the exit code of the command only when it is asked to.
      return execFileSync("script", ["-qc", command, "/dev/null"], { env: all, encoding: "utf8" });
    };
    expect(show({})).toContain("\u001b[31mbad-envelope");
    expect(show({ NO_COLOR: "1" })).toMatch(/^bad-envelope/m);
  },
);

const runShell = (line: string, env: Readonly<Record<string, string>> = {}) =>
  spawnSync("bash", ["--norc", "-c", line, process.execPath, main], {
    env: { PATH: process.env["PATH"], ...env },
    encoding: "utf8",
  });

test("output: a reader that goes away changes neither what a command does nor its exit code", () => {
  const line = `"$0" "$1" config check --json | true; echo \${PIPESTATUS[0]}`;
  expect(runShell(line)).toMatchObject({ stdout: "0\n", stderr: "" });
  expect(runShell(line, { VOXBUS_NATS_PREFIX: "a.b" })).toMatchObject({ stdout: "1\n", stderr: "" });
  expect(runShell(`"$0" "$1" dance 2> >(true) | true; echo \${PIPESTATUS[0]}`)).toMatchObject({ stdout: "2\n" });
});

test("output: what cannot be written is told, and the exit code is 1", () => {
  const stderr = "voxbus: cannot write the output (ENOSPC)\n";
  expect(runShell(`"$0" "$1" config print > /dev/full`)).toMatchObject({ status: 1, stderr });
});

test("output: a reader of a pipe that starts late gets all of it", () => {
  // Each unknown variable is listed: more than a pipe holds.
  const unknown = Array.from({ length: 300 }, (_, n) => [`VOXBUS_${"LONG_".repeat(50)}${n}`, "1"] as const);
  const { stdout } = runShell(`"$0" "$1" config check --json | (sleep 1; cat)`, Object.fromEntries(unknown));
  expect(stdout.length).toBeGreaterThan(65_536);
  expect(JSON.parse(stdout)).toMatchObject({ unknown: { length: 300 } });
});

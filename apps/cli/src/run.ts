import { readFileSync } from "node:fs";
import type { Bus } from "@voxbus/bus";
import { ConfigError } from "@voxbus/service";
import { readArguments } from "./arguments.ts";
import { exitCodes, UsageError, type Command, type Shell } from "./command.ts";
import { connect } from "./connect.ts";
import { describeCommand, describeProgram } from "./help.ts";

/** The parts of a shell that the process gives. The rest is made for each command. */
export type ProcessShell = Omit<Shell, "connect">;

/** Runs one command line and resolves with its exit code. Every error ends as a line on standard error. */
export async function runCommandLine(
  commands: readonly Command[],
  args: readonly string[],
  shell: ProcessShell,
): Promise<number> {
  const [name = "help", ...rest] = args;
  if (name === "--version") {
    shell.print(readVersion());
    return exitCodes.ok;
  }
  const isHelp = name === "help" || name === "--help" || name === "-h";
  const wanted = isHelp ? rest[0] : name;
  const found = commands.find((one) => one.name === wanted);
  if (wanted !== undefined && found === undefined) {
    const names = commands.map((one) => one.name).join(", ");
    shell.tell(`voxbus: "${wanted}" is not a command. The commands are ${names}, help.`);
    return exitCodes.usage;
  }
  if (isHelp || found === undefined) {
    shell.print((found === undefined ? describeProgram(commands) : describeCommand(found)).trimEnd());
    return args.length === 0 ? exitCodes.usage : exitCodes.ok;
  }
  try {
    const given = readArguments(found, rest);
    if (given.options["help"] === true) {
      shell.print(describeCommand(found).trimEnd());
      return exitCodes.ok;
    }
    return await runConnected(shell, async (full) => (await found.run(given, full)) ?? exitCodes.ok);
  } catch (error) {
    if (shell.signal.aborted && isCausedBy(error, shell.signal.reason)) return exitCodes.interrupted;
    const isUsage = error instanceof UsageError;
    const lines =
      error instanceof ConfigError ? error.problems : [error instanceof Error ? error.message : String(error)];
    for (const line of lines) shell.tell(`voxbus ${found.name}: ${line}`);
    if (isUsage) shell.tell(`voxbus ${found.name} --help lists its parameters and options.`);
    return isUsage || error instanceof ConfigError ? exitCodes.usage : exitCodes.failed;
  }
}

function readVersion(): string {
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { readonly version: string }).version;
}

function isCausedBy(error: unknown, reason: unknown): boolean {
  return error === reason || (error instanceof Error && error.cause !== undefined && isCausedBy(error.cause, reason));
}

/** Gives a command its connection, one for all its calls, and closes it after the command. */
async function runConnected(shell: ProcessShell, work: (shell: Shell) => Promise<number>): Promise<number> {
  let opened: Promise<Bus> | undefined;
  const open = () => (opened ??= connect({ ...shell, tell: (line) => shell.tell(`voxbus: ${line}`) }));
  try {
    return await work({ ...shell, connect: open });
  } finally {
    const bus = await opened?.catch(() => undefined);
    await bus?.close();
  }
}

import { readFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import type { ConfigReport } from "@voxbus/subscriber";
import { CommandError } from "../command.ts";
import { findPrograms, readConfigReport } from "./programs.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The variables without which a program has nothing to do, and is not started (deploy/local/programs.mjs). */
const reasons: Readonly<Record<string, readonly string[]>> = { mcp: ["VOXBUS_MCP_FILE", "VOXBUS_MCP_PORT"] };

/** A problem of the configuration, and the programs that have it. */
export interface ConfigProblem {
  readonly problem: string;
  readonly programs: readonly string[];
}

/** A `VOXBUS_*` variable that no program has, and the one that was probably meant. */
export type UnknownVariable = ConfigReport["unknown"][number];

/** A variable with its value, and the programs that read it. Secrets are masked. */
export interface ShownVariable {
  readonly name: string;
  readonly value: string | undefined;
  readonly isSet: boolean;
  readonly programs: readonly string[];
}

/** The configuration of all programs. */
export interface WholeConfig {
  readonly problems: readonly ConfigProblem[];
  readonly unknown: readonly UnknownVariable[];
  readonly variables: readonly ShownVariable[];
}

/**
 * Adds the variables of a file to an environment, whose own ones count. The file has lines of NAME=VALUE, as docker compose
 * and systemd read them. Throws CommandError.
 */
export async function addFile(env: Environment, path: string | undefined): Promise<Environment> {
  if (path === undefined) return env;
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new CommandError(`Cannot read ${path} (${cause.code ?? "unknown"}).`, { cause });
  });
  const added = parseEnv(text);
  // parseEnv takes a line without = for the beginning of the next name.
  const broken = Object.keys(added).find((name) => /\s/.test(name));
  if (broken !== undefined) {
    const line = text.slice(0, text.indexOf(broken)).split("\n").length;
    throw new CommandError(`Line ${line} of ${path} is not NAME=VALUE.`);
  }
  const own = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ""));
  return { ...added, ...own };
}

/** Reads the configuration of every installed program as each of them reads it. Throws CommandError. */
export async function readWholeConfig(env: Environment): Promise<WholeConfig> {
  const reports = await Promise.all(findPrograms().map((program) => readConfigReport(program, env)));
  const problems = new Map<string, string[]>();
  const variables = new Map<string, ShownVariable>();
  const unknown = new Map<string, UnknownVariable>();
  for (const report of reports) {
    const { program } = report;
    const isIdle = reasons[program]?.every((variable) => !env[variable]) ?? false;
    for (const problem of isIdle ? [] : report.problems)
      problems.set(problem, [...(problems.get(problem) ?? []), program]);
    for (const one of report.unknown) unknown.set(one.name, one);
    for (const { name, value, isSet } of report.values) {
      const programs = [...(variables.get(name)?.programs ?? []), program];
      variables.set(name, { name, value, isSet, programs });
    }
  }
  return {
    problems: [...problems].map(([problem, programs]) => ({ problem, programs })),
    unknown: [...unknown.values()],
    variables: [...variables.values()],
  };
}

import { ConfigError, findUnknown, listVariables, readConfig, type ConfigShape } from "./config.ts";
import type { TrialReport } from "./engine-trial.ts";
import { hideSecrets } from "./hide-secrets.ts";
import { createLog } from "./log.ts";
import { programShape, type Program } from "./service.ts";
import { suggest } from "./suggest.ts";
import { knownVariables } from "./variables.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** A program's report on its configuration. Secrets are masked. */
export interface ConfigReport {
  readonly program: string;
  readonly problems: readonly string[];
  /** The `VOXBUS_*` variables that no program has, each with the one that was probably meant. */
  readonly unknown: readonly { readonly name: string; readonly meant?: string }[];
  /** Every variable with its value as text, absent if it has none. */
  readonly values: readonly { readonly name: string; readonly value?: string; readonly isSet: boolean }[];
}

/** The longest time for the trial of all engines of a program, ms. */
const trialMs = 20_000;
const mask = "***";
const secret = /_(?:KEY|KEYS|TOKEN|TOKENS|PASSWORD|NKEY|SEED|SECRET|WEBHOOK)$/;

/** Checks a program's configuration without starting it. Never throws for a wrong value. */
export function checkProgram<S extends ConfigShape>(program: Program<S>, env: Environment): ConfigReport {
  const shape = programShape(program);
  const values = listVariables(shape).map(({ name, meaning, fallback }) => {
    const given = env[name] || undefined;
    const isSecret = secret.test(name) && !meaning.startsWith("path of");
    const shown = given === undefined ? writeDefault(fallback) : isSecret ? mask : hideSecrets(given);
    return { name, ...(shown !== undefined && { value: shown }), isSet: given !== undefined };
  });
  const unknown = findUnknown(shape, env).map((name) => {
    const meant = suggest(name, knownVariables);
    return { name, ...(meant !== undefined && { meant }) };
  });
  return { program: program.name, problems: findProblems(program, env).map(hideSecrets), unknown, values };
}

function findProblems<S extends ConfigShape>(program: Program<S>, env: Environment): readonly string[] {
  try {
    readProgram(program, env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

function readProgram<S extends ConfigShape>(program: Program<S>, env: Environment) {
  const config = readConfig(programShape(program), env).config as Parameters<NonNullable<Program<S>["checkConfig"]>>[0];
  program.checkConfig?.(config);
  return config;
}

function writeDefault(fallback: unknown): string | undefined {
  return fallback === undefined || typeof fallback === "string" ? fallback : JSON.stringify(fallback);
}

/**
 * Tries the engines that a program's configuration names, without the program and its bus. Throws ConfigError. An engine
 * that fails, or takes over 20 s, is a problem in the report.
 */
export async function tryProgram<S extends ConfigShape>(program: Program<S>, env: Environment): Promise<TrialReport> {
  const config = readProgram(program, env);
  const log = createLog({ name: program.name, level: "silent", format: "json" });
  const trials = (await program.tryEngines?.(config, log, AbortSignal.timeout(trialMs))) ?? [];
  return { program: program.name, trials: [...trials] };
}

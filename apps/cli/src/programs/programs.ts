import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { defaultPorts } from "@voxbus/protocol";
import { TrialReport } from "@voxbus/service";
import { checkProgram, type ConfigReport, type Program } from "@voxbus/subscriber";
import { CommandError } from "../command.ts";

/** A program of the system that is installed beside this one. */
export interface InstalledProgram {
  readonly name: string;
  /** The path of its main file. */
  readonly main: string;
  /** The path of the module that describes it. */
  readonly app: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The longest time for a trial, ms: a program loads within a few seconds, and tries its engines for 20 s at most. */
const trialMs = 60_000;
/** The most bytes of a report. */
const maxReportBytes = 1_048_576;

/** Lists the programs that are installed beside this one, in a checkout as in node_modules. Throws CommandError if none is. */
export function findPrograms(): readonly InstalledProgram[] {
  const names = Object.keys(defaultPorts).filter((name) => name !== "nats");
  const found = names.flatMap((name) => {
    const [main, app] = ["main", "app"].map((file) =>
      fileURLToPath(new URL(`../../../${name}/dist/${file}.js`, import.meta.url)),
    );
    return main !== undefined && app !== undefined && existsSync(main) ? [{ name, main, app }] : [];
  });
  if (found.length > 0) return found;
  throw new CommandError("The programs are not installed beside this command: run it in the folder of the system.");
}

/** Checks the configuration of a program as the program reads it at its start. */
export async function readConfigReport({ name, app }: InstalledProgram, env: Environment): Promise<ConfigReport> {
  const exports = (await import(pathToFileURL(app).href)) as Readonly<Record<string, unknown>>;
  const program = Object.values(exports).find(isProgram);
  if (program === undefined) throw new CommandError(`${name} does not describe itself: it has another version.`);
  return checkProgram(program, env);
}

function isProgram(value: unknown): value is Program {
  return typeof value === "object" && value !== null && "name" in value && "config" in value;
}

/** Asks a program, in a process of its own, to try the engines in its configuration. Throws CommandError without a report. */
export async function readTrialReport(
  { name, main }: InstalledProgram,
  env: Environment,
  signal: AbortSignal,
): Promise<TrialReport> {
  const timeout = AbortSignal.timeout(trialMs);
  const child = spawn(process.execPath, [main, "--try-engines"], {
    env: { ...env },
    stdio: ["ignore", "pipe", "pipe"],
    signal: AbortSignal.any([signal, timeout]),
    killSignal: "SIGKILL",
  });
  const text = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].setEncoding("utf8").on("data", (chunk: string) => {
      if (text[stream].length < maxReportBytes) text[stream] += chunk;
    });
  const failure = await new Promise<Error | undefined>((resolve) => {
    child.once("error", (error) => resolve(error));
    child.once("close", () => resolve(undefined));
  });
  signal.throwIfAborted();
  const report = TrialReport.safeParse(parse(text.stdout));
  if (report.success) return report.data;
  const why = timeout.aborted ? `no answer within ${trialMs / 1000} s` : text.stderr.trim() || failure?.message;
  throw new CommandError(`no trial of ${name}: ${why ?? "no report"}`, { cause: failure });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // refused by the schema
  }
}

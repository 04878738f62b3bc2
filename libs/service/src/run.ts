import { ConfigError, describeConfig, type ConfigShape } from "./config.ts";
import type { StopMode } from "./lifecycle.ts";
import { hideSecrets } from "./hide-secrets.ts";
import { ListenError } from "./listen.ts";
import { logOutput } from "./log-output.ts";
import { tryProgram } from "./self-report.ts";
import { programShape, startService, type Build, type Program } from "./service.ts";

/** Time until the process exits even if a step hangs, ms. */
const bounds: Readonly<Record<StopMode, number>> = { drain: 30_000, quick: 4500 };
/** Time that the client of `POST /pre-stop` gets to read its answer, ms. It may end with this process, as in a container. */
const preStopMs = 1000;
/** Exit code of a program that failed for a reason that a restart does not remove (EX_CONFIG). */
const failedCode = 78;
/** Time that a start may take to notice that it is to stop, ms. Then the process exits: it has nothing to finish yet. */
const startBoundMs = 700;

/**
 * Runs a program as this process, from its start to its end. It reads the configuration from the environment, prints
 * it for `--help`, and tries the engines in it for `--try-engines`. When the program is ready it logs one line with the real addresses, and sends them to the launcher.
 * SIGTERM or SIGHUP drains within 30 s, or ends a program that is not ready yet within 1 s. SIGINT, or the end of the
 * launcher, stops within 5 s. After a drain by `POST /pre-stop` the process ends too, so that a supervisor starts it again.
 * An error that nothing has caught is logged and counted; more than 1000 of them in a minute end the process. A program
 * that fails (`Service.fail`) ends with code 78.
 */
export async function run<S extends ConfigShape>(program: Program<S>, build: Build<S>): Promise<void> {
  if (process.argv.includes("--help")) {
    process.stdout.write(`voxbus ${program.name}: environment variables\n\n${describeConfig(programShape(program))}\n`);
    return;
  }
  // The launcher ended while this process loaded.
  if ("connected" in process && !process.connected) process.exit(0);
  const foreign = dropForeignVariables();
  if (process.argv.includes("--try-engines")) return printTrial(program);
  const early = new AbortController();
  const starting = startService(program, build, process.env, early.signal);
  const end = (mode: StopMode, why: string, code = 0) => {
    if (early.signal.aborted && mode === "drain") return;
    early.abort(new Error(`the program stops: ${why}`));
    setTimeout(() => process.exit(1), bounds[mode]).unref();
    const giveUp = setTimeout(() => process.exit(0), startBoundMs);
    starting
      .then(async ({ stop, log }) => {
        clearTimeout(giveUp);
        log.info({ why, mode }, "stopping");
        await stop(mode);
        log.info("stopped");
        await logOutput().end();
        process.exit(code);
      })
      .catch(() => process.exit(0));
  };
  process.on("SIGTERM", () => end("drain", "SIGTERM"));
  process.on("SIGHUP", () => end("drain", "SIGHUP"));
  process.on("SIGINT", () => end("quick", "SIGINT"));
  if (process.channel) process.on("disconnect", () => end("quick", "the launcher is gone"));

  try {
    const { addresses, log, preStopped, failed, bearError } = await starting;
    // An error ends what it happened in. Ending the process would also end the work for everybody else.
    const bear = (error: unknown) => {
      if (bearError(error)) return;
      log.fatal("too many unexpected errors, ending");
      void logOutput()
        .end()
        .then(() => process.exit(1));
    };
    process.on("uncaughtException", bear);
    process.on("unhandledRejection", bear);
    void preStopped.then(() => setTimeout(() => end("drain", "pre-stop"), preStopMs));
    if (foreign.length > 0) log.info({ variables: foreign }, "variables of other programs not used");
    void failed.then(({ message }) => end("quick", message, failedCode));
    log.info({ ...addresses }, "ready");
    process.send?.({ type: "ready", program: program.name, addresses });
  } catch (error) {
    if (early.signal.aborted) return;
    tellFailure(program.name, error);
    process.exit(1);
  }
}

function tellFailure(name: string, error: unknown): void {
  const problems =
    error instanceof ConfigError ? error.problems : [error instanceof Error ? error.message : String(error)];
  for (const problem of problems) process.stderr.write(`voxbus ${name}: ${hideSecrets(problem)}\n`);
  if (!(error instanceof ConfigError || error instanceof ListenError) && error instanceof Error) {
    process.stderr.write(`${hideSecrets(error.stack ?? "")}\n`);
  }
}

/** Tries the engines and prints the report as a line of JSON. The process ends although threads of engines may run. */
async function printTrial<S extends ConfigShape>(program: Program<S>): Promise<void> {
  let code = 0;
  try {
    const report = await tryProgram(program, process.env);
    if (report.trials.some(({ problem }) => problem !== undefined)) code = 1;
    await new Promise((resolve) => process.stdout.write(`${JSON.stringify(report)}\n`, resolve));
  } catch (error) {
    tellFailure(program.name, error);
    code = 1;
  }
  process.exit(code);
}

/** Removes variables of other programs that libraries would take for theirs, and returns their names. */
function dropForeignVariables(): readonly string[] {
  const names = Object.keys(process.env).filter((name) => /^(OPENAI_|OTEL_LOG_LEVEL$)/.test(name));
  for (const name of names) delete process.env[name];
  return names;
}

import { createServer } from "node:net";
import { findPrograms, readTrialReport } from "../programs/programs.ts";
import type { WholeConfig } from "../programs/config-reports.ts";
import { judge, type Finding } from "./finding.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const askMs = 1000;
/** First pieces that take longer are felt, ms. */
const slowMs = 1500;
/** The programs with engines, and the variables to look at. */
const engineVariables: Readonly<Record<string, string>> = {
  asr: "VOXBUS_ASR_ENGINE, VOXBUS_ASR_URL, VOXBUS_ASR_MODEL and VOXBUS_ASR_KEY",
  dialogue: "VOXBUS_LLM_ENGINE, VOXBUS_LLM_URL, VOXBUS_LLM_MODEL and VOXBUS_LLM_KEY",
  tts: "VOXBUS_TTS_ENGINE, VOXBUS_TTS_URL, VOXBUS_TTS_MODEL and VOXBUS_TTS_KEY",
};

/** Judges the configuration of all programs. */
export function checkConfig({ problems, unknown, variables }: WholeConfig): readonly Finding[] {
  const { ok, warning, failed } = judge("config");
  const misspelt = unknown.map(({ name, meant }) =>
    warning(
      `no program has the variable ${name}`,
      meant === undefined ? "Remove it, if it is not of a program of your own." : `Rename it to ${meant}.`,
    ),
  );
  const wrong = problems.map(({ problem, programs }) =>
    failed(
      problem,
      `Change the variable: ${programs.join(", ")} would not start. voxbus config check lists all problems.`,
    ),
  );
  if (wrong.length > 0 || misspelt.length > 0) return [...wrong, ...misspelt];
  return [ok(`${variables.filter(({ isSet }) => isSet).length} variables are set, and valid`)];
}

/** Checks each operations port: a program of voxbus answers there, or it is free, or another program has it. */
export async function checkPorts(config: WholeConfig): Promise<readonly Finding[]> {
  const valueOf = (name: string) => config.variables.find((one) => one.name === name)?.value;
  const ops = config.variables.filter(({ name }) => name.endsWith("_OPS_PORT"));
  const host = valueOf("VOXBUS_OPS_HOST") ?? "127.0.0.1";
  const others = [
    { name: "VOXBUS_GATEWAY_PORT", host: valueOf("VOXBUS_GATEWAY_HOST") },
    { name: "VOXBUS_MONITOR_PORT", host: valueOf("VOXBUS_MONITOR_HOST") },
  ];
  const findings = await Promise.all(ops.map(({ name, value }) => checkOps(name, host, Number(value))));
  const running = findings
    .filter(({ values }) => values?.["running"] === true)
    .map(({ values }) => values?.["program"]);
  const devices = await Promise.all(
    others
      .filter(({ name }) => !running.includes(programOf(name)))
      .map(({ name, host = "127.0.0.1" }) => checkFree(name, host, Number(valueOf(name)))),
  );
  return [...findings, ...devices].filter((one) => one !== undefined);
}

function programOf(variable: string): string {
  return /^VOXBUS_(.+?)(?:_OPS)?_PORT$/.exec(variable)?.[1]?.toLowerCase() ?? variable;
}

async function checkOps(variable: string, host: string, port: number): Promise<Finding> {
  const { ok, warning } = judge("ports");
  const program = programOf(variable);
  if (port === 0) return ok(`${program} takes any free operations port`);
  const address = `http://${reachable(host)}:${port}/readyz`;
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(askMs), redirect: "manual" });
    const { ready, failing = [] } = (await response.json()) as {
      readonly ready?: boolean;
      readonly failing?: string[];
    };
    if (ready === true) return ok(`${program} is ready at port ${port}`, { program, port, running: true });
    if (ready === false)
      return warning(
        `${program} at port ${port} is not ready: ${failing.join(", ")}`,
        "Look at its log. docs/operations.md, Health, tells what each condition means.",
        { program, port, running: true, failing },
      );
  } catch {
    // The port is free, or another program has it. The next check tells which.
  }
  return (await checkFree(variable, host, port)) ?? ok(`port ${port} is free for ${program}`, { program, port });
}

/** Checks that a port can be taken. Undefined if it can. */
async function checkFree(variable: string, host: string, port: number): Promise<Finding | undefined> {
  if (!Number.isInteger(port) || port === 0) return undefined;
  const code = await new Promise<string | undefined>((resolve) => {
    const server = createServer()
      .once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      .listen({ host, port }, () => server.close(() => resolve(undefined)));
  });
  if (code === undefined) return undefined;
  const { failed } = judge("ports");
  const values = { port, variable, code };
  if (code === "EADDRINUSE")
    return failed(`another program has port ${port}`, `Stop it, or set ${variable} to another port.`, values);
  return failed(
    `port ${port} on ${host} cannot be taken (${code})`,
    `Set ${variable}, or its host, to another one.`,
    values,
  );
}

/** An address that listens everywhere is asked on this machine. */
function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

/** Tries the engines of asr, dialogue and tts as they are configured, one after another. */
export async function* checkEngines(env: Environment, signal: AbortSignal): AsyncGenerator<Finding> {
  const { ok, warning, failed } = judge("engines");
  for (const program of findPrograms()) {
    const variables = engineVariables[program.name];
    if (variables === undefined) continue;
    const file = env["VOXBUS_ENGINES_FILE"] ? "the file of VOXBUS_ENGINES_FILE, " : "";
    const fix = `Check ${file}${variables}, and that the engine's server runs.`;
    try {
      const { trials } = await readTrialReport(program, env, signal);
      for (const { engine, firstMs = 0, problem } of trials) {
        const values = { program: program.name, engine, firstMs: problem === undefined ? firstMs : undefined };
        const named = `${program.name}, engine ${engine}`;
        if (problem !== undefined) yield failed(`${named}: ${problem}`, fix, values);
        else if (firstMs > slowMs)
          yield warning(
            `${named}: first piece after ${firstMs} ms`,
            "Use a faster model, or a server that is nearer.",
            values,
          );
        else yield ok(`${named}: first piece after ${firstMs} ms`, values);
      }
    } catch (error) {
      signal.throwIfAborted();
      yield failed(`${program.name}: ${(error as Error).message}`, fix);
    }
  }
}

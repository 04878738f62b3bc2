import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readPage, root } from "../docs/markdown.ts";

/** One block of code of a page. `install`, `run` and `start` are commands, `file` is what the reader saves. */
export interface Step {
  readonly kind: "file" | "install" | "run" | "start";
  /** The name of the file; empty for commands. */
  readonly name: string;
  readonly text: string;
}

/** A program that a recipe started. */
export interface StartedRecipe {
  /** Everything that it printed. */
  output(): string;
  /** Sends SIGTERM, or another signal, and resolves with the exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/** A recipe in an empty folder outside of the repository. */
export interface Recipe {
  /** Why it cannot run on this machine, such as a missing toolchain; undefined if it can. */
  readonly missing: string | undefined;
  readonly folder: string;
  /** Runs the commands that follow the installation, and resolves with what they printed. Rejects if one fails. */
  run(): Promise<string>;
  /** Starts the program, and resolves when it has printed "ready". Rejects with its output if it ends before. */
  start(env: Readonly<Record<string, string>>): Promise<StartedRecipe>;
  /** Removes the folder. */
  remove(): void;
}

/** The command without which a recipe cannot run, by the name in its markers. */
const toolchains = { typescript: "npm", python: "python3", go: "go" } as const;
export type RecipeName = keyof typeof toolchains;

/** Texts of package managers that cannot reach their registry. Another failed installation is an error of the page. */
const unreachable =
  /name resolution|getaddrinfo|EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|no such host|dial tcp|Network is unreachable|ENOTCACHED/;

/** Follows a recipe of a page up to its installation, as a reader would. */
export async function prepareRecipe(name: RecipeName, page = "docs/subscribers.md"): Promise<Recipe> {
  const steps = readSteps(readPage(page), name);
  const folder = mkdtempSync(join(tmpdir(), `voxbus-${name}-`));
  for (const { kind, name: file, text } of steps) {
    if (kind !== "file") continue;
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return openRecipe(name, folder, steps);
}

/** Runs the installation of a recipe whose files are in `folder`. */
export async function openRecipe(name: RecipeName, folder: string, steps: readonly Step[]): Promise<Recipe> {
  const missing = await install(name, steps, folder);
  const commandsOf = (kind: Step["kind"]) => steps.flatMap((step) => (step.kind === kind ? [step.text] : []));
  return {
    missing,
    folder,
    async run() {
      let printed = "";
      for (const command of commandsOf("run")) {
        const { code, output } = await runShell(command, folder);
        if (code !== 0) throw new Error(`the command failed: ${command}\n${output}`);
        printed += output;
      }
      return printed;
    },
    start: (env) => startShell(commandsOf("start")[0] ?? "exit 1", folder, env),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Reads the blocks behind `<!-- NAME file: PATH -->`, `<!-- NAME install -->`, `<!-- NAME run -->` and `<!-- NAME start -->`. */
export function readSteps(page: string, name: RecipeName): readonly Step[] {
  const block = new RegExp(
    `^<!-- ${name} (file|install|run|start)(?:: (\\S+))? -->\\n+\`\`\`[a-z]*\\n([^]*?)^\`\`\`$`,
    "gm",
  );
  return [...page.matchAll(block)].map(([, kind, file = "", text = ""]) => ({
    kind: kind as Step["kind"],
    name: file,
    text,
  }));
}

async function install(name: RecipeName, steps: readonly Step[], folder: string): Promise<string | undefined> {
  const toolchain = toolchains[name];
  if (spawnSync("sh", ["-c", `command -v ${toolchain}`]).status !== 0) return `${toolchain} is not installed`;
  for (const step of steps) {
    if (step.kind !== "install") continue;
    const { code, output } = await runShell(step.text, folder);
    if (code !== 0 && unreachable.test(output)) return `the packages of the recipe cannot be fetched`;
    if (code !== 0) throw new Error(`the installation failed:\n${output}`);
  }
  return undefined;
}

/** The variables of a reader's shell. Those of the test's own programs are left out. */
function shellVariables(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([key]) => !key.startsWith("VOXBUS_") && !key.startsWith("OTEL_"));
  const server = process.env["VOXBUS_NATS_SERVER"];
  return { ...Object.fromEntries(kept), VOXBUS: root, VOXBUS_NATS_SERVER: server };
}

function spawnShell(command: string, folder: string, env: Readonly<Record<string, string>> = {}) {
  const child: ChildProcess = spawn("bash", ["-e", "-c", command], {
    cwd: folder,
    env: { ...shellVariables(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      listeners.forEach((listener) => listener());
    });
  }
  return { child, closed: once(child, "close"), output: () => output, listeners };
}

async function runShell(command: string, folder: string) {
  const { child, closed, output } = spawnShell(command, folder);
  await closed;
  return { code: child.exitCode, output: output() };
}

async function startShell(command: string, folder: string, env: Readonly<Record<string, string>>) {
  // The program takes the place of the shell, so that it receives the signals itself.
  const { child, closed, output, listeners } = spawnShell(`exec ${command}`, folder, env);
  await new Promise<void>((resolve, reject) => {
    listeners.add(() => /\bready\b/.test(output()) && resolve());
    void closed.then(() => reject(new Error(`the program ended before it was ready:\n${output()}`)));
  });
  return {
    output,
    async end(signal: NodeJS.Signals = "SIGTERM") {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await closed;
      return child.exitCode;
    },
  };
}

import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** An instruction of a Dockerfile, such as `RUN` and `npm ci`. */
interface Instruction {
  readonly name: string;
  readonly value: string;
}

/** An image without a container engine: a folder with what the stages left, and the settings of the last one. */
export interface Image {
  /** The working directory of the image on this machine. */
  readonly folder: string;
  readonly user: string;
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly healthCheck: readonly string[];
  /** The commands of `RUN` that change the system, and that were not performed. */
  readonly system: readonly string[];
}

/** Reads the instructions of a Dockerfile, without comments. Each stage begins with `FROM`. */
function readInstructions(text: string): readonly Instruction[] {
  return text
    .replaceAll(/^\s*#.*\n/gm, "")
    .replaceAll("\\\n", " ")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [, name = "", value = ""] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
      return { name, value };
    });
}

/** Gives the rule of .dockerignore: true for a path in the context that does not enter the build. The last pattern that fits counts. */
export function readIgnored(text: string): (path: string) => boolean {
  const rules = text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const isKept = line.startsWith("!");
      const pattern = (isKept ? line.slice(1) : line)
        .replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")
        .replaceAll(/\*\*\/|\*/g, (star) => (star === "*" ? "[^/]*" : "(?:.*/)?"));
      // A pattern that fits a folder fits what is in it.
      return { isKept, pattern: new RegExp(`^${pattern}(?:/.*)?$`) };
    });
  return (path) => !(rules.findLast(({ pattern }) => pattern.test(path))?.isKept ?? true);
}

/** Copies the files of a context that .dockerignore leaves in it. */
function copyContext(context: string, target: string): void {
  const isIgnored = readIgnored(readFileSync(join(context, ".dockerignore"), "utf8"));
  const copy = (folder: string) => {
    for (const entry of readdirSync(join(context, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        // Nothing in a folder with such a name is kept.
        if (![".git", ".cache", "dist", "node_modules"].includes(entry.name)) copy(path);
      } else if (!isIgnored(path)) {
        mkdirSync(dirname(join(target, path)), { recursive: true });
        cpSync(join(context, path), join(target, path));
      }
    }
  };
  copy("");
}

/** Replaces the variables of an instruction. */
function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$(\w+)/g, (_, name: string) => env[name] ?? "");
}

/** Performs a Dockerfile in an empty folder. Steps for the system (`apt-get`) are only listed. */
export async function performDockerfile(file: string, where: { context: string; folder: string }): Promise<Image> {
  const roots = new Map<string, string>();
  const settings = new Map<string, string>();
  const system: string[] = [];
  let env: Record<string, string> = {};
  let root = "";
  let folder = "";
  const perform: Readonly<Record<string, (value: string) => unknown>> = {
    FROM(value) {
      const stage = /\sAS\s+(\w+)$/i.exec(value)?.[1] ?? "image";
      root = join(where.folder, stage);
      roots.set(stage, root);
      settings.clear();
      env = {};
    },
    WORKDIR(value) {
      folder = join(root, value);
      mkdirSync(folder, { recursive: true });
    },
    ARG: setVariables,
    ENV: setVariables,
    async COPY(value) {
      const [, from, source = "", target = ""] = /^(?:--from=(\w+)\s+)?(\S+)\s+(\S+)$/.exec(value) ?? [];
      // Hard links are enough: nothing is changed in a stage that is done.
      if (from === undefined) copyContext(join(where.context, source), join(folder, target));
      else await run("cp", ["-al", `${join(roots.get(from) ?? "", source)}/.`, join(folder, target)]);
    },
    async RUN(value) {
      const command = value.replaceAll(/--mount=\S+\s+/g, "");
      if (command.startsWith("apt-get")) {
        system.push(command);
        return;
      }
      const own = Object.entries(process.env).filter(([name]) => !/^(?:VOXBUS|VITEST|npm)_|^NODE_ENV$/i.test(name));
      // npm takes from its cache what is there.
      const npm = { npm_config_prefer_offline: "true", npm_config_audit: "false", npm_config_update_notifier: "false" };
      await run("sh", ["-c", command], { cwd: folder, env: { ...Object.fromEntries(own), ...npm, ...env } });
    },
  };
  function setVariables(value: string): void {
    for (const [, name = "", quoted, bare = ""] of value.matchAll(/(\w+)=(?:"([^"]*)"|(\S*))/g)) {
      env[name] = quoted ?? expand(bare, env);
    }
  }
  for (const { name, value } of readInstructions(readFileSync(file, "utf8"))) {
    if (perform[name] === undefined) settings.set(name, value);
    else await perform[name](value);
  }
  const list = (text = "[]") => JSON.parse(/\[.*\]$/.exec(text)?.[0] ?? "[]") as string[];
  return {
    folder,
    user: settings.get("USER") ?? "root",
    env,
    entrypoint: list(settings.get("ENTRYPOINT")),
    command: list(settings.get("CMD")),
    healthCheck: list(settings.get("HEALTHCHECK")),
    system,
  };
}

/** True if a program is on PATH. */
export function isInstalled(program: string): boolean {
  return (process.env["PATH"] ?? "").split(":").some((folder) => existsSync(join(folder, program)));
}

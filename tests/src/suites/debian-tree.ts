import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));

interface Debian {
  findDebianKeyring(): string | undefined;
  findDebianMirrors(): readonly string[];
  unpackDebianPackages(options: {
    readonly names: readonly string[];
    readonly mirror: string;
    readonly suite: string;
    readonly keyring: string;
    readonly directory: string;
  }): Promise<string>;
}

/** A program of Debian that tests run. */
export interface DebianCommand {
  readonly name: string;
  /** The arguments that print its version. */
  readonly version: readonly string[];
  /** The package that has it, if it has another name. */
  readonly package?: string;
  /** Its folder in the package; `usr/bin` if it does not say. */
  readonly folder?: string;
  /** The Debian release that the package is taken from, if that of this system is too old. */
  readonly suite?: string;
  /** Tells by the printed version whether the program of this machine is new enough. */
  readonly isUsable?: (version: string) => boolean;
}

/** Finds a program on this machine, or unpacks Debian's package into the cache. Rejects if neither is possible. */
export async function findDebianCommand(command: DebianCommand): Promise<string> {
  const { name, version, package: from = name, folder = "usr/bin", suite, isUsable = () => true } = command;
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/bin"].filter(Boolean);
  const installed = folders.map((path) => join(path, name)).find((path) => existsSync(path));
  if (installed !== undefined && isUsable(readVersion(installed, version))) return installed;
  const cached = `${root}.cache/${name}`;
  const pathIn = (tree: string) => join(tree, folder, name);
  const probe = (tree: string) => ({ command: [pathIn(tree), ...version] });
  if (!existsSync(cached)) await unpackDebianProgram({ cached, packages: [from], probe, ...(suite && { suite }) });
  return pathIn(cached);
}

function readVersion(path: string, args: readonly string[]): string {
  try {
    return execFileSync(path, args, { encoding: "utf8", timeout: 5000, stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return "";
  }
}

/** A program in a tree of unpacked Debian packages. */
export interface DebianProgram {
  /** The folder that the tree is kept in. */
  readonly cached: string;
  readonly packages: readonly string[];
  /** The Debian release that they are taken from; that of this system if it does not say. */
  readonly suite?: string;
  /** Gives the command that shows that the program runs, for a tree. */
  readonly probe: (tree: string) => { readonly command: readonly string[]; readonly env?: NodeJS.ProcessEnv };
}

/**
 * Unpacks Debian's packages into the cache, in one step, so that the cache never holds a part of them. Nothing is installed
 * or started. Throws an error that tells why the packages cannot be had, or are of no use here.
 */
export async function unpackDebianProgram({ cached, packages, suite: wanted, probe }: DebianProgram): Promise<void> {
  const debian = (await import(`${root}deploy/local/debian.mjs`)) as Debian;
  const keyring = debian.findDebianKeyring();
  const [mirror] = debian.findDebianMirrors();
  // Libraries must be those of this system's C library.
  const suite = wanted ?? /^VERSION_CODENAME=(\w+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  if (keyring === undefined || mirror === undefined || suite === undefined) {
    throw new Error("no mirror of Debian's archive in this machine's apt configuration");
  }
  mkdirSync(`${root}.cache`, { recursive: true });
  const directory = mkdtempSync(`${root}.cache/fetching-`);
  try {
    const tree = await debian.unpackDebianPackages({ names: packages, mirror, suite, keyring, directory });
    const { command, env } = probe(tree);
    const [program = "", ...args] = command;
    execFileSync(program, args, { env: env ?? process.env, timeout: 5000, stdio: "ignore" });
    rmSync(cached, { recursive: true, force: true });
    cpSync(tree, `${cached}.whole`, { recursive: true, verbatimSymlinks: true });
    renameSync(`${cached}.whole`, cached);
  } catch (cause) {
    throw new Error(`Debian's package was of no use: ${firstLine(cause)}`, { cause });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function firstLine(error: unknown): string {
  const lines = (error instanceof Error ? error.message : String(error)).split("\n");
  return lines.find((line) => line.startsWith("E:")) ?? lines[0] ?? "";
}

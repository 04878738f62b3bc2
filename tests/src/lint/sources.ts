import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../docs/markdown.ts";

/** A problem in a file, with the line it is on, from 1. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly problem: string;
}

/** A file of the project by its path from the root. */
export interface SourceFile {
  readonly file: string;
  readonly text: string;
}

const skipped = new Set(["node_modules", "dist", ".git", ".nx", ".cache", ".data"]);
const packageFolders = ["libs", "apps", "examples"] as const;

/** Lists the packages by their path from the root, such as `libs/bus`. */
export function listPackages(): readonly string[] {
  const packages = packageFolders.flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => existsSync(join(root, folder, name, "package.json")))
      .map((name) => `${folder}/${name}`),
  );
  return [...packages, "tests"];
}

/** Names the package that a file belongs to; a file outside the packages belongs to its first folder, or to `.`. */
export function packageOf(file: string): string {
  const [first = "", second = ""] = file.split("/");
  if (packageFolders.some((folder) => folder === first)) return `${first}/${second}`;
  return file.includes("/") ? first : ".";
}

/** Returns true for files that are only for tests. */
export function isTestFile(file: string): boolean {
  return /^(?:tests|libs\/testing)\/|\.(?:test|suite)\.ts$|\/test-[^/]*\.ts$/.test(file);
}

/** Reads the files below the root whose names end with one of the suffixes. */
export function readSources(...suffixes: readonly string[]): readonly SourceFile[] {
  const entries = readdirSync(root, { recursive: false, withFileTypes: true });
  const list = (directory: string, names: typeof entries): readonly string[] =>
    names.flatMap((entry) => {
      if (skipped.has(entry.name)) return [];
      const path = directory + entry.name;
      if (!entry.isDirectory()) return suffixes.some((suffix) => entry.name.endsWith(suffix)) ? [path] : [];
      return list(`${path}/`, readdirSync(join(root, path), { withFileTypes: true }));
    });
  return list("", entries).map((file) => ({ file, text: readFileSync(join(root, file), "utf8") }));
}

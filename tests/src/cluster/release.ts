import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { root } from "../docs/markdown.ts";
import { replaceIn } from "../suites/replace-in.ts";

/** The built programs of one version. */
export interface Release {
  readonly version: string;
  /** The folder that has `apps` and `libs`. */
  readonly folder: string;
}

/** The release of this checkout. */
export const thisRelease: Release = { version: "0.1.0", folder: root };

/** The next release: other versions, and a contract with one field more in every message and every entry. */
export interface NextRelease extends Release {
  remove(): void;
}

/** Makes the next release out of the built programs of this checkout. */
export function makeNextRelease(): NextRelease {
  mkdirSync(`${root}.cache`, { recursive: true });
  // Below the root, so that the packages of others are found.
  const folder = mkdtempSync(`${root}.cache/next-release-`);
  const packages = ["apps", "libs"].flatMap((kind) => readdirSync(root + kind).map((name) => `${kind}/${name}`));
  for (const path of packages) {
    for (const part of ["package.json", "dist", "assets"]) {
      const source = `${root}${path}/${part}`;
      if (existsSync(source)) cpSync(source, join(folder, path, part), { recursive: true });
    }
  }
  mkdirSync(join(folder, "node_modules/@voxbus"), { recursive: true });
  for (const path of packages) {
    symlinkSync(join(folder, path), join(folder, "node_modules/@voxbus", path.slice(path.indexOf("/") + 1)));
  }
  const version = thisRelease.version.replace(/^(\d+)\.(\d+)/, (_, major, minor) => `${major}.${Number(minor) + 1}`);
  const change = (file: string, from: string, to: string) =>
    writeFileSync(join(folder, file), replaceIn(readFileSync(join(folder, file), "utf8"), [[from, to]]));
  for (const path of packages.filter((one) => existsSync(join(folder, one, "dist/app.js")))) {
    change(`${path}/dist/app.js`, `version: "${thisRelease.version}"`, `version: "${version}"`);
  }
  // In front: the gateway writes audio over the end of an encoded frame.
  change("libs/protocol/dist/envelopes/codec.js", "{ v: busVersion,", "{ v: busVersion, fieldOfTomorrow: 1,");
  change("libs/bus/dist/kv/bucket.js", "JSON.stringify(value)", "JSON.stringify({ ...value, fieldOfTomorrow: 1 })");
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  return { version, folder, remove };
}

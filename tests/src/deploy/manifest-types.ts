import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { root } from "../docs/markdown.ts";
import type { Manifest } from "./manifests.ts";

/** Kinds that kubernetes-types does not know: those of the Prometheus operator. */
const foreign = /^monitoring\.coreos\.com\//;

/**
 * Checks every field of every object against the types of Kubernetes' API, as the API server does: unknown and missing
 * fields, and values of another type. Gives the compiler's messages.
 */
export async function checkTypes(manifests: readonly Manifest[]): Promise<readonly string[]> {
  mkdirSync(`${root}.cache`, { recursive: true });
  // Below the root, so that the types are found.
  const folder = mkdtempSync(`${root}.cache/manifests-`);
  try {
    const known = manifests.filter(({ apiVersion }) => !foreign.test(apiVersion));
    const lines = known.map((manifest, at) => {
      const { apiVersion, kind } = manifest;
      const group = apiVersion.includes("/") ? apiVersion.replace(/\.k8s\.io(?=\/)/, "") : `core/${apiVersion}`;
      const type = `import("kubernetes-types/${group}").${kind}`;
      return `export const object${at}: ${type} = ${JSON.stringify(manifest)};`;
    });
    writeFileSync(`${folder}/manifests.ts`, lines.join("\n"));
    const options = [
      "--noEmit",
      "--strict",
      "--module",
      "esnext",
      "--moduleResolution",
      "bundler",
      "--pretty",
      "false",
      "--ignoreConfig",
    ];
    const command = [`${root}node_modules/.bin/tsc`, ...options, `${folder}/manifests.ts`];
    const failed = await promisify(execFile)(process.execPath, command).catch((error: { stdout: string }) => error);
    return failed.stdout.split("\n").flatMap((line) => {
      const found = /manifests\.ts\((\d+),\d+\): (?:error )?(.*)/.exec(line);
      if (found === null) return line.trim() === "" ? [] : [line];
      const { kind, metadata } = known[Number(found[1]) - 1]!;
      return [`${kind} ${metadata.name}: ${found[2]}`];
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

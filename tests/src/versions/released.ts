import { readdirSync, readFileSync } from "node:fs";
import { root } from "../docs/markdown.ts";
import type { Schema } from "./compare.ts";

const folder = `${root}tests/src/versions/contracts`;

/** A contract by the files of docs/contract, such as `envelopes/say.json`. */
export type Contract = Readonly<Record<string, Schema>>;

/** Lists the contracts that were kept, the oldest first. The one before the first release is `first`. */
export function listContracts(): readonly string[] {
  const names = readdirSync(folder).map((file) => file.replace(/\.json$/, ""));
  return names.toSorted(
    (a, b) => Number(b === "first") - Number(a === "first") || a.localeCompare(b, "en", { numeric: true }),
  );
}

/** Reads a contract that was kept. */
export function readContract(name: string): Contract {
  return JSON.parse(readFileSync(`${folder}/${name}.json`, "utf8")) as Contract;
}

/** Reads the contract of the last release. */
export function readReleased(): Contract {
  return readContract(listContracts().at(-1)!);
}

import { readVariable } from "@voxbus/service";
import { readText } from "./text-file.ts";

const maxFileBytes = 65_536;

/** Reads the key of an engine from a variable or a file. Adds to `problems`, which never quote it. */
export function readKey(
  { keyEnv, keyFile }: { readonly keyEnv: string | undefined; readonly keyFile: string | undefined },
  problems: string[],
): string | undefined {
  if (keyEnv !== undefined) {
    const key = readVariable(keyEnv);
    if (key === undefined) problems.push(`keyEnv: the variable ${keyEnv} is not set`);
    return key;
  }
  return keyFile === undefined ? undefined : readText(keyFile, { field: "keyFile", maxBytes: maxFileBytes }, problems);
}

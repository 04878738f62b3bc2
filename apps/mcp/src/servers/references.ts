import { readFileSync, statSync } from "node:fs";

const maxFileBytes = 65_536;

/** A text whose references are resolved, or the reason why one of them cannot be. */
export type Resolved = { readonly text: string; readonly secrets: readonly string[] } | { readonly problem: string };

/**
 * Replaces each `${NAME}` in a text by that environment variable, and each `${file:/path}` by the content of that file
 * without the line break at its end. `secrets` are the values that were put in. A problem never quotes a value.
 */
export function resolveReferences(text: string, env: Readonly<Record<string, string | undefined>>): Resolved {
  const secrets: string[] = [];
  const problems: string[] = [];
  const resolved = text.replaceAll(/\$\{([^}]*)\}/g, (_, reference: string) => {
    const found = resolveOne(reference, env);
    if (found.value === undefined) problems.push(found.problem);
    else secrets.push(found.value);
    return found.value ?? "";
  });
  return problems[0] === undefined ? { text: resolved, secrets } : { problem: problems[0] };
}

type Found =
  { readonly value: string; readonly problem?: undefined } | { readonly value?: undefined; readonly problem: string };

function resolveOne(reference: string, env: Readonly<Record<string, string | undefined>>): Found {
  if (reference.startsWith("file:")) return readSecret(reference.slice("file:".length));
  if (!/^[A-Za-z_]\w*$/.test(reference)) return { problem: "expected ${NAME} or ${file:/path} as a reference" };
  const value = env[reference];
  return value ? { value } : { problem: `the environment variable ${reference} is not set` };
}

function readSecret(path: string): Found {
  try {
    if (statSync(path).size > maxFileBytes) return { problem: `${path} has more than ${maxFileBytes} bytes` };
    const value = readFileSync(path, "utf8").replace(/\r?\n$/, "");
    return value === "" ? { problem: `${path} is empty` } : { value };
  } catch (error) {
    return { problem: `${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown error"})` };
  }
}

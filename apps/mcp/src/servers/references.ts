import { readFileSync, statSync } from "node:fs";

const maxFileBytes = 65_536;

/** A text whose references are resolved, or the reason why one of them cannot be. */
export type Resolved = { readonly text: string; readonly secrets: readonly string[] } | { readonly problem: string };

/**
 * Replaces each `${NAME}` or `${env:NAME}` in a text by that environment variable, and each `${file:/path}` by the content of that
 * file without the line break at its end. `${NAME:-default}` has a text for a variable that is not set or empty, and `$${` stands for
 * `${` itself. `secrets` are the values that were put in. A problem never quotes a value.
 */
export function resolveReferences(text: string, env: Readonly<Record<string, string | undefined>>): Resolved {
  const secrets: string[] = [];
  const problems: string[] = [];
  const resolved = text.replaceAll(/\$\$\{|\$\{([^}]*)\}/g, (_, reference?: string) => {
    if (reference === undefined) return "${";
    const found = resolveOne(reference, env);
    if (found.value === undefined) problems.push(found.problem);
    else if (found.isSecret) secrets.push(found.value);
    return found.value ?? "";
  });
  return problems[0] === undefined ? { text: resolved, secrets } : { problem: problems[0] };
}

type Found =
  | { readonly value: string; readonly isSecret: boolean; readonly problem?: undefined }
  | { readonly value?: undefined; readonly problem: string };

function resolveOne(reference: string, env: Readonly<Record<string, string | undefined>>): Found {
  if (reference.startsWith("file:")) return readSecret(reference.slice("file:".length));
  const { name = "", other } = /^(?:env:)?(?<name>[A-Za-z_]\w*)(?::-(?<other>[^$]*))?$/.exec(reference)?.groups ?? {};
  if (name === "") {
    return {
      problem: "expected ${NAME}, ${NAME:-default} or ${file:/path} as a reference, or $${ for the characters ${",
    };
  }
  const value = env[name];
  if (value) return { value, isSecret: true };
  if (other !== undefined) return { value: other, isSecret: false };
  return { problem: `the environment variable ${name} is not set` };
}

function readSecret(path: string): Found {
  try {
    if (statSync(path).size > maxFileBytes) return { problem: `${path} has more than ${maxFileBytes} bytes` };
    const value = readFileSync(path, "utf8").replace(/\r?\n$/, "");
    return value === "" ? { problem: `${path} is empty` } : { value, isSecret: true };
  } catch (error) {
    return { problem: `${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown error"})` };
  }
}

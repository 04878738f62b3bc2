import type { Finding, SourceFile } from "./sources.ts";
import { tokenize } from "./tokens.ts";

/** A module that a file imports, or exports from. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** True for an import declaration: neither an export nor a dynamic import. */
  readonly declared: boolean;
}

const anyImport = /(?:\bfrom|\bimport|\bimport\()\s*$/;
const declaration = /^import\b[^;]*$/m;

/** Lists the modules that a file names, except by computed names. */
export function listImports(text: string): readonly Import[] {
  const tokens = tokenize(text);
  return tokens.flatMap((token, at) => {
    const before = tokens[at - 1];
    if (token.kind !== "string" || before?.kind !== "code" || !anyImport.test(before.text)) return [];
    const statement = before.text.slice(before.text.lastIndexOf(";") + 1).trimStart();
    return [
      { specifier: token.text, line: token.line, declared: declaration.test(statement) && !statement.endsWith("(") },
    ];
  });
}

const groups = ["node:", "packages", "own files"] as const;

/** Finds imports that are not in the order of the groups: node:, packages, own files. */
export function checkImportOrder(sources: readonly SourceFile[]): readonly Finding[] {
  return sources.flatMap(({ file, text }) => {
    let last = 0;
    return listImports(text).flatMap(({ specifier, line, declared }) => {
      if (!declared) return [];
      const group = specifier.startsWith("node:") ? 0 : specifier.startsWith(".") ? 2 : 1;
      const problem = `"${specifier}" comes after ${groups[last]}: import node: first, then packages, then own files`;
      if (group < last) return [{ file, line, problem }];
      last = group;
      return [];
    });
  });
}

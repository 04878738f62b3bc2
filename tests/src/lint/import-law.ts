import { dirname, join } from "node:path";
import { readNames, readPage, readTable } from "../docs/markdown.ts";
import { listImports } from "./imports.ts";
import { isTestFile, listPackages, packageOf, type Finding, type SourceFile } from "./sources.ts";

/** The packages, by their paths, and the names of what each may import: our libraries and guarded packages of others. */
export type ImportLaw = ReadonlyMap<string, ReadonlySet<string>>;

const scope = "@voxbus/";

/** Reads the law from its table in docs/architecture.md. */
export function readImportLaw(page = readPage("docs/architecture.md")): ImportLaw {
  return new Map(
    readTable(page, "table: import law").flatMap(([packages = "", allowed = ""]) =>
      readNames(packages).map((name) => [name, new Set(readNames(allowed))] as const),
    ),
  );
}

/** Finds the imports that the law forbids. A package without a row may import nothing of ours. */
export function checkImports(sources: readonly SourceFile[], law: ImportLaw): readonly Finding[] {
  const libraries = [...law.keys()].flatMap((name) => /^libs\/(.+)$/.exec(name)?.[1] ?? []);
  const guarded = [...new Set([...law.values()].flatMap((allowed) => [...allowed]))].filter(
    (name) => !libraries.includes(name),
  );
  const packages = new Set(listPackages());
  const judge = (file: string, specifier: string): string | undefined => {
    const own = packageOf(file);
    const allowed = law.get(own) ?? law.get(own.replace(/[^/]+$/, "*")) ?? [];
    const mayImport = new Set([...allowed, ...(isTestFile(file) ? libraries : [])]);
    if (specifier.startsWith(".")) {
      const target = packageOf(join(dirname(file), specifier));
      return target === own ? undefined : "leaves its package: import a library by its name";
    }
    if (specifier.startsWith(scope)) {
      const name = specifier.slice(scope.length);
      if (name.includes("/")) return "reaches into a package: import it by its name";
      return mayImport.has(name) ? undefined : `${own} may not import it`;
    }
    const guard = guarded.find((name) => matches(name, specifier));
    return guard === undefined || mayImport.has(guard) ? undefined : `${own} may not import it`;
  };
  return sources.flatMap(({ file, text }) => {
    if (!packages.has(packageOf(file))) return [];
    return listImports(text).flatMap(({ specifier, line }) => {
      const problem = judge(file, specifier);
      return problem === undefined ? [] : [{ file, line, problem: `"${specifier}" ${problem}` }];
    });
  });
}

function matches(name: string, specifier: string): boolean {
  return name.endsWith("/*") ? specifier.startsWith(name.slice(0, -1)) : specifier === name;
}

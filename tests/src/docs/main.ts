import { writeFileSync } from "node:fs";
import { generate, loadPrograms } from "./generate.ts";
import { readPage, root } from "./markdown.ts";

// `npm run docs` writes what is stale; with --check it is only named.
const stale = [...generate(await loadPrograms())].filter(([path, text]) => text !== readPage(path));
for (const [path, text] of stale) {
  if (!process.argv.includes("--check")) writeFileSync(root + path, text);
  process.stdout.write(`${path}\n`);
}

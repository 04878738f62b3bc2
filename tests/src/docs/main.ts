import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { contractFolder, generate, loadManuals, loadPrograms } from "./generate.ts";
import { readPage, root } from "./markdown.ts";

// `npm run docs` writes what is stale, and removes what is left over; with --check it is only named.
const isCheck = process.argv.includes("--check");
const files = generate(await loadPrograms(), await loadManuals());
for (const [path, text] of files) {
  if (existsSync(root + path) && text === readPage(path)) continue;
  process.stdout.write(`${path}\n`);
  if (isCheck) continue;
  mkdirSync(dirname(root + path), { recursive: true });
  writeFileSync(root + path, text);
}
const present = existsSync(root + contractFolder) ? readdirSync(root + contractFolder, { recursive: true }) : [];
for (const path of present.map((file) => `${contractFolder}/${String(file).replaceAll("\\", "/")}`)) {
  if (!path.endsWith(".json") || files.has(path)) continue;
  process.stdout.write(`${path}\n`);
  if (!isCheck) rmSync(root + path);
}

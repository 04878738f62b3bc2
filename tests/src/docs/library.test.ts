import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { readBlocks, readPage, root } from "./markdown.ts";

test("docs/library.md: each program compiles", async () => {
  const blocks = readBlocks(readPage("docs/library.md"), "ts");
  expect(blocks.length).toBeGreaterThan(5);
  mkdirSync(join(root, ".cache"), { recursive: true });
  const folder = mkdtempSync(join(root, ".cache/library-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [n, { text }] of blocks.entries()) writeFileSync(join(folder, `program-${n}.mts`), text);
  const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023", "--skipLibCheck"];
  const files = blocks.map((_, n) => join(folder, `program-${n}.mts`));
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const run = promisify(execFile)(process.execPath, [tsc, "--ignoreConfig", ...options, ...files]);
  const output = await run.then(
    ({ stdout }) => stdout,
    (error: { readonly stdout: string }) => error.stdout,
  );
  expect(output).toBe("");
}, 60_000);

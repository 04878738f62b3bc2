import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { root } from "./markdown.ts";

it("generated files: none is stale", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [`${root}tests/dist/docs/main.js`, "--check"]);
  expect(stdout, "run `npm run docs`").toBe("");
});

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const main = fileURLToPath(new URL("../dist/device.js", import.meta.url));

test("device: without a terminal and without inputs, it says in a line what it needs", () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, "--id", "kitchen"], {
    input: "hello\n",
    encoding: "utf8",
  });
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^The device needs [^\n]*--text[^\n]*--script[^\n]*terminal[^\n]*\.\n$/);
});

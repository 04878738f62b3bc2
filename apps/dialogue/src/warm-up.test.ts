import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startModelServer } from "@voxbus/testing";
import { expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { dialogueConfig } from "./config.ts";
import { engines } from "./engines/registry.ts";
import { warmUp } from "./warm-up.ts";

const never = new AbortController().signal;
const parse = (variables: object) => z.object(dialogueConfig).parse(variables);

test("warm-up: the embedded assistant answers", async () => {
  await warmUp(parse({}), never);
});

test("warm-up: a model is not asked, a stand-in is", async () => {
  const server = await startModelServer({ chat: () => 500 });
  onTestFinished(() => server.close());
  await warmUp(parse({ VOXBUS_LLM_ENGINE: "openai", VOXBUS_LLM_URL: server.url, VOXBUS_LLM_MODEL: "m" }), never);
  expect(server.requests.chat).toEqual([]);
});

test("warm-up: a file of engines without a server leaves the embedded assistant to be warmed up", async () => {
  const folder = mkdtempSync(join(tmpdir(), "voxbus-warm-up-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "engines.json");
  writeFileSync(path, JSON.stringify({ engines: [{ name: "ears", role: "asr", kind: "openai", model: "m" }] }));
  const create = vi.spyOn(engines, "openai");
  onTestFinished(() => create.mockRestore());
  await warmUp(parse({ VOXBUS_ENGINES_FILE: path }), never);
  expect(create).not.toHaveBeenCalled();
});

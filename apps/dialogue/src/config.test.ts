import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSubscriber, variablesOf } from "@voxbus/subscriber";
import { expect, test } from "vitest";
import { buildDialogue, dialogue } from "./app.ts";

const env = { VOXBUS_NATS_URL: "nats://127.0.0.1:1", VOXBUS_LOG_LEVEL: "fatal" };

test.each([
  ["VOXBUS_DIALOGUE_TOOL_MS", {}],
  ["VOXBUS_DIALOGUE_TOOL_LIST_MS", {}],
  ["VOXBUS_DIALOGUE_MOMENT_MS", {}],
  ["VOXBUS_LLM_FIRST_TOKEN_MS", { VOXBUS_LLM_ENGINE: "openai" }],
  ["VOXBUS_LLM_NEXT_TOKEN_MS", { VOXBUS_LLM_ENGINE: "openai" }],
  ["VOXBUS_LLM_PATIENCE_MS", { VOXBUS_LLM_ENGINE: "openai" }],
])("limits: %s must be shorter than a whole answer", async (name, more) => {
  const given = { ...env, ...more, [name]: "60000", VOXBUS_DIALOGUE_TURN_MS: "59000" };
  await expect(startSubscriber(dialogue, buildDialogue, given)).rejects.toThrow(
    `VOXBUS_DIALOGUE_TURN_MS: must be longer than ${name}, which is 60000 ms; it is 59000 ms`,
  );
});

test("limits: no more turns are taken than the requests that run and may wait", async () => {
  const given = { ...env, VOXBUS_LLM_ENGINE: "openai", VOXBUS_LLM_REQUESTS: "3", VOXBUS_LLM_WAITING: "4,5,6" };
  await expect(startSubscriber(dialogue, buildDialogue, { ...given, VOXBUS_DIALOGUE_TURNS: "7" })).rejects.toThrow(
    "VOXBUS_DIALOGUE_TURNS: expected at most 6",
  );
});

test("limits: the bounds of queues are three counts", async () => {
  const given = { ...env, VOXBUS_LLM_WAITING: "100,500" };
  await expect(startSubscriber(dialogue, buildDialogue, given)).rejects.toThrow(
    "VOXBUS_LLM_WAITING: expected three counts of up to six digits, such as 100,500,1000",
  );
});

test("limits: the times of an engine of the file must be shorter than a whole answer", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "voxbus-engines-")), "engines.json");
  const entry = {
    name: "slow",
    role: "llm",
    kind: "openai",
    url: "http://127.0.0.1:1/v1",
    model: "m",
    firstMs: 60_000,
  };
  writeFileSync(path, JSON.stringify({ engines: [entry] }));
  const given = { ...env, VOXBUS_ENGINES_FILE: path, VOXBUS_DIALOGUE_TURN_MS: "59000" };
  await expect(startSubscriber(dialogue, buildDialogue, given)).rejects.toThrow(
    'VOXBUS_ENGINES_FILE: engine "slow": firstMs: must be shorter than VOXBUS_DIALOGUE_TURN_MS, which is 59000 ms',
  );
  rmSync(path);
});

test("manual: a flag that is on by default is shown so", () => {
  expect(variablesOf(dialogue).find(({ name }) => name === "VOXBUS_LLM_IDENTIFY")?.fallback).toBe("1");
});

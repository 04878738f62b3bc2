import { startModelServer } from "@voxbus/testing";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { dialogueConfig } from "./config.ts";
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

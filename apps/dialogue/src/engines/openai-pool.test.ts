import { setImmediate } from "node:timers/promises";
import { readRate } from "@voxbus/pools";
import { startModelServer, type ChatEvent, type ChatRequest, type ModelServer } from "@voxbus/testing";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { createOpenAiEngine } from "./openai.ts";
import { collectText, createAccess, createRequest, createTestPool, setVolume } from "./test-request.ts";

let server: ModelServer;
/** The texts of the requests that the model works on, and what lets it answer each. */
let asked: Map<string, () => void>;

/** Answers when the test says so. A text with "tool" calls the tool first. */
async function answer({ messages, tools }: ChatRequest): Promise<readonly ChatEvent[]> {
  const last = messages.at(-1)!;
  const text = last.role === "tool" ? `after ${last.content}` : (last.content ?? "").split("\n\n").at(-1)!;
  await new Promise<void>((resolve) => asked.set(text, resolve));
  if (text.includes("tool") && tools) return [{ name: "self_audio_speaker_set_volume", args: "{}" }];
  return [`answer to ${text}`];
}

beforeAll(async () => {
  server = await startModelServer({ chat: answer });
});
beforeEach(() => {
  asked = new Map();
});
afterAll(() => server.close());

const create = (slots: number, pool = createTestPool({ slots })) => ({
  pool,
  engine: createOpenAiEngine({
    url: server.url,
    model: "test",
    firstTokenMs: 15_000,
    nextTokenMs: 15_000,
    rounds: 3,
    identify: true,
    pool,
  }),
});
const until = (text: string) => vi.waitFor(() => expect([...asked.keys()]).toContain(text), 15_000);
const finish = async (text: string) => {
  await until(text);
  asked.get(text)!();
};

test("openai engine: a turn that waits for a tool holds no slot, and goes on before new turns", async () => {
  const { engine, pool } = create(1);
  let answerTool!: (text: string) => void;
  const call = () => new Promise<string>((resolve) => (answerTool = resolve));
  const device = createAccess({ tools: { list: [setVolume], call } });
  const first = collectText(engine, createRequest("use the tool", { device }));
  await finish("use the tool");
  await vi.waitFor(() => expect(answerTool).toBeDefined(), 15_000);
  expect(pool.stats().work[0]).toMatchObject({ running: 0 });
  const second = collectText(engine, createRequest("second"));
  const third = collectText(
    engine,
    createRequest("third", { turn: { device: "old", session: "s1", origin: 7, since: 0 } }),
  );
  await until("second");
  answerTool("the call");
  await setImmediate();
  await finish("second");
  expect(await second).toBe("answer to second");
  await finish("after the call");
  expect(await first).toBe("answer to after the call");
  expect([...asked.keys()]).not.toContain("third");
  await finish("third");
  expect(await third).toBe("answer to third");
});

test("openai engine: an abort closes the request, and its slot is free at once", async () => {
  const { engine, pool } = create(1);
  const abort = new AbortController();
  const first = collectText(engine, createRequest("first"), abort.signal);
  await until("first");
  const second = collectText(engine, createRequest("second"));
  const cancelled = server.whenCancelled();
  abort.abort();
  expect(await first).toBe("");
  await cancelled;
  await finish("second");
  expect(await second).toBe("answer to second");
  expect(pool.stats().work[0]).toMatchObject({ done: 1, failed: 0, running: 0 });
});

test("openai engine: an aborted turn that waits for its slot ends without an error", async () => {
  const { engine } = create(1);
  const first = collectText(engine, createRequest("first"));
  await until("first");
  const abort = new AbortController();
  const second = collectText(engine, createRequest("second"), abort.signal);
  abort.abort();
  expect(await second).toBe("");
  await finish("first");
  await first;
});

test("openai engine: calls above the limit of a minute fail if they would wait too long", async () => {
  const { engine } = create(5, createTestPool({ rate: readRate(1, undefined), patienceMs: 1000 }));
  const first = collectText(engine, createRequest("first"));
  await finish("first");
  await first;
  await expect(collectText(engine, createRequest("second"))).rejects.toMatchObject({
    name: "PoolFullError",
    code: "late",
  });
});

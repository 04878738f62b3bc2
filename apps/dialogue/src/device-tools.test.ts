import type { Bus } from "@voxbus/bus";
import { connectTestBus, startNatsServer, type NatsServer, type McpDeviceRequest } from "@voxbus/testing";
import { buckets } from "@voxbus/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ToolError } from "./engines/engine.ts";
import { connectMcpDevice, createTestTools, listTool as tool } from "./test-mcp-device.ts";

let nats: NatsServer;
let bus: Bus;
beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

const connectDevice = (answer: (request: McpDeviceRequest) => object | undefined) => connectMcpDevice(bus, answer);
const createClient = (timeoutMs = 2000, listMs = 2000) => createTestTools(bus, { timeoutMs, listMs });
const text = (text: string, isError = false) => ({ result: { content: [{ type: "text", text }], isError } });

test("tools: are listed page by page after initialize, once for all dialogues; ids are int32", async () => {
  const turn = connectDevice(({ method, params }) => {
    if (method === "initialize") return { result: {} };
    return params["cursor"] === ""
      ? { result: { tools: [tool("a")], nextCursor: "b" } }
      : { result: { tools: [tool("b")] } };
  });
  const tools = createClient();
  const [one, two] = await Promise.all([tools.list(turn), tools.list(turn)]);
  expect(one.map(({ name }) => name)).toEqual(["a", "b"]);
  expect(two).toBe(one);
  expect(await createClient().list(turn)).toEqual(one);
  expect(turn.requests.map(({ method, params }) => [method, params["cursor"]])).toEqual([
    ["initialize", undefined],
    ["tools/list", ""],
    ["tools/list", "b"],
  ]);
  expect(turn.requests.every(({ id }) => Number.isInteger(id) && id >= 0 && id < 2 ** 31)).toBe(true);
});

test("tools: a call is made once, also by a second attempt at the turn, and both get its text", async () => {
  const turn = connectDevice(() => text("true"));
  const [one, two] = [createClient(), createClient()].map((client) => client.toolsOf(turn, [tool("self.set")]));
  const both = await Promise.all([one?.call("self.set", { a: 1 }), two?.call("self.set", { a: 1 })]);
  expect(both).toEqual(["true", "true"]);
  expect(
    await createClient()
      .toolsOf(turn, [tool("self.set")])
      .call("self.set", { a: 1 }),
  ).toBe("true");
  expect(turn.requests).toHaveLength(1);
  expect(turn.requests[0]?.params).toEqual({ name: "self.set", arguments: { a: 1 } });
});

test("tools: an answer that no worker waited for is found in the stream", async () => {
  const turn = connectDevice(() => undefined);
  const abort = new AbortController();
  const dying = createClient()
    .toolsOf(turn, [tool("t")])
    .call("t", {}, abort.signal);
  await expect.poll(() => turn.requests.length, { interval: 5 }).toBe(1);
  abort.abort();
  await expect(dying).rejects.toThrow("aborted");
  await turn.answer(turn.requests[0]?.id ?? 0, text("late"));
  expect(
    await createClient()
      .toolsOf(turn, [tool("t")])
      .call("t", {}),
  ).toBe("late");
  expect(turn.requests).toHaveLength(1);
});

test("tools: another call of the same turn is made anew", async () => {
  const turn = connectDevice(({ params }) => text(JSON.stringify(params["arguments"])));
  const tools = createClient().toolsOf(turn, [tool("self.set")]);
  expect(await tools.call("self.set", { a: 1 })).toBe('{"a":1}');
  expect(await tools.call("self.set", { a: 1 })).toBe('{"a":1}');
  const successor = createClient().toolsOf(turn, [tool("self.set")]);
  expect(await successor.call("self.set", { a: 2 })).toBe('{"a":2}');
  expect(new Set(turn.requests.map(({ id }) => id)).size).toBe(3);
});

test.each([
  ["an error without a code", { error: { message: "Unknown tool" } }, "refused: Unknown tool"],
  ["a result that is an error", text("no such room", true), "refused: no such room"],
  ["an error that is a text", { error: "Unknown tool" }, "refused: Unknown tool"],
  ["an error without a message", { error: { code: -32602 } }, 'refused: {"code":-32602}'],
  ["nothing", undefined, "did not answer within 200 ms"],
])("tools: %s is a failed call", async (_, given, message) => {
  const tools = createClient(200).toolsOf(
    connectDevice(() => given),
    [tool("t")],
  );
  await expect(tools.call("t", {})).rejects.toThrow(message);
  await expect(tools.call("u", {})).rejects.toThrow('no tool "u"');
});

test.each<[string, (id: number) => object]>([
  ["with `error: null`", () => ({ error: null })],
  ["with an empty error", () => ({ error: {} })],
  ["with its id as a text", (id) => ({ id: String(id) })],
  ["with null in other fields", () => ({ method: null, params: null })],
  ["without a version", () => ({ jsonrpc: undefined })],
])("tools: a result %s is a result", async (_, odd) => {
  const turn = connectDevice(({ id }) => ({ ...text("true"), ...odd(id) }));
  expect(
    await createClient()
      .toolsOf(turn, [tool("t")])
      .call("t", {}),
  ).toBe("true");
});

test("tools: a request of the device with the same id is no answer", async () => {
  const turn = connectDevice(() => undefined);
  const call = createClient()
    .toolsOf(turn, [tool("t")])
    .call("t", {});
  await expect.poll(() => turn.requests.length, { interval: 5 }).toBe(1);
  const id = turn.requests[0]?.id ?? 0;
  await turn.answer(id, { method: "notifications/state", params: {} });
  await turn.answer(id, text("true"));
  expect(await call).toBe("true");
});

test("tools: an aborted call ends at once", async () => {
  const abort = new AbortController();
  const turn = connectDevice(() => {
    abort.abort();
    return undefined;
  });
  await expect(
    createClient(60_000)
      .toolsOf(turn, [tool("t")])
      .call("t", {}, abort.signal),
  ).rejects.toThrow(ToolError);
});

test("tools: a call that waits when its turn ends is not made, and a successor of the turn makes it", async () => {
  const turn = connectDevice(() => undefined);
  const listed = [tool("a"), tool("b")];
  const fence = new AbortController();
  const tools = createClient(60_000).toolsOf(turn, listed);
  const calls = ["a", "b"].map((name) => tools.call(name, {}, fence.signal).catch((error: Error) => error.message));
  await expect.poll(() => turn.requests.length, { interval: 5, timeout: 10_000 }).toBe(1);
  fence.abort();
  expect(await Promise.all(calls)).toEqual(["the request to the device was aborted", "the turn has ended"]);
  await turn.answer(turn.requests[0]?.id ?? 0, text("late"));
  const successor = createClient(60_000).toolsOf(turn, listed);
  expect(await successor.call("a", {})).toBe("late");
  expect(turn.requests).toHaveLength(1);
  const again = successor.call("b", {});
  await expect.poll(() => turn.requests.length, { interval: 5, timeout: 10_000 }).toBe(2);
  await turn.answer(turn.requests[1]?.id ?? 0, text("done"));
  expect(await again).toBe("done");
});

test("tools: a device that never lists its tools is asked once, and only the first turn waits", async () => {
  const turn = connectDevice(() => undefined);
  const tools = createClient(400, 200);
  expect(await tools.list(turn)).toEqual([]);
  const startedAt = performance.now();
  expect(await tools.list(turn)).toEqual([]);
  expect(performance.now() - startedAt).toBeLessThan(100);
  await expect.poll(() => bus.bucket(buckets.tools).get(turn.session)).toMatchObject({ value: [] });
  expect(await tools.list(turn)).toEqual([]);
  expect(await createClient(400).list(turn)).toEqual([]);
  expect(turn.requests.map(({ method }) => method)).toEqual(["initialize", "tools/list"]);
});

test("tools: a device that refuses to list its tools is asked once", async () => {
  const turn = connectDevice(() => ({ error: { code: -32601, message: "no" } }));
  const tools = createClient();
  await expect(tools.list(turn)).rejects.toThrow("refused: no");
  expect(await tools.list(turn)).toEqual([]);
  expect(turn.requests).toHaveLength(2);
});

test("tools: a list that comes late serves later turns", async () => {
  const turn = connectDevice(({ method }) => (method === "initialize" ? { result: {} } : undefined));
  const tools = createClient(2000, 50);
  expect(await tools.list(turn)).toEqual([]);
  await expect.poll(() => turn.requests).toHaveLength(2);
  await turn.answer(turn.requests[1]?.id ?? 0, { result: { tools: [tool("a")] } });
  await expect.poll(() => tools.list(turn)).toMatchObject([{ name: "a" }]);
});

test("tools: a turn that is aborted does not wait for the list, and a closed session is not asked on", async () => {
  const turn = connectDevice(() => undefined);
  const tools = createClient(60_000, 60_000);
  const abort = new AbortController();
  const [aborted, closed] = [tools.list(turn, abort.signal), tools.list(turn)];
  abort.abort(new Error("superseded"));
  await expect(aborted).rejects.toThrow("superseded");
  const body = { type: "closed", code: 1000, reason: "done" } as const;
  tools.handle({ session: turn.session, seq: 9, at: 0, kind: "control", body });
  await expect(closed).rejects.toThrow("aborted");
});

test("tools: messages without an open request are not parsed", async () => {
  const turn = connectDevice(() => undefined);
  const tools = createClient(60_000);
  const handle = (session: string, id: number) => {
    const payload = JSON.stringify({ jsonrpc: "2.0", id, result: Array.from({ length: 900 }, () => 0) });
    tools.handle({ session, seq: 1, at: 0, kind: "control", body: { type: "mcp", payload } });
  };
  const call = tools.toolsOf(turn, [tool("t")]).call("t", {});
  await expect.poll(() => turn.requests.length, { interval: 5 }).toBe(1);
  const id = turn.requests[0]?.id ?? 0;
  const parse = vi.spyOn(JSON, "parse");
  handle("another", id);
  handle(turn.session, id + 1);
  expect(parse.mock.calls.filter(([text]) => text.length > 20)).toEqual([]);
  parse.mockRestore();
  await turn.answer(id, text("true"));
  expect(await call).toBe("true");
});

test("tools: a list holds at most 64 tools and 64 KiB", async () => {
  const answerWith = (description: string) =>
    connectDevice(({ method, params }) => {
      if (method === "initialize") return { result: {} };
      const page = Number(params["cursor"]);
      const listed = Array.from({ length: 10 }, (_, at) => ({ ...tool(`${page}.${at}`), description }));
      return { result: { tools: listed, nextCursor: String(page + 1) } };
    });
  expect(await createClient().list(answerWith("short"))).toHaveLength(64);
  const long = await createClient().list(answerWith("x".repeat(1500)));
  expect(long).toHaveLength(41);
  expect(Buffer.byteLength(JSON.stringify(long))).toBeLessThan(65_536);
});

test("tools: a turn makes at most 64 calls, those of earlier attempts included", async () => {
  const turn = connectDevice(() => text("done"));
  const bucket = bus.bucket(buckets.toolCalls);
  const ids = Array.from({ length: 100 }, (_, k) => `${turn.session}.${turn.origin}.${k + 1}`);
  await Promise.all(ids.map((id) => bucket.put(id, { name: "other", args: "{}" })));
  const tools = createClient().toolsOf(turn, [tool("a")]);
  const { signal } = new AbortController();
  await expect(tools.call("a", {}, signal)).rejects.toThrow("at most 64 calls");
  await expect(tools.call("a", {}, signal)).rejects.toThrow(ToolError);
  expect(turn.requests).toEqual([]);
});

import type { Bus } from "@voxbus/bus";
import { connectTestBus, loose, startNatsServer, type NatsServer } from "@voxbus/testing";
import { buckets, channels } from "@voxbus/protocol";
import { ulid } from "ulid";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { createDeviceTools, type ToolDeps } from "./device-tools.ts";
import { ToolError } from "./engines/engine.ts";

type Request = { readonly id: number; readonly method: string; readonly params: Record<string, unknown> };

let nats: NatsServer;
let bus: Bus;
const undo: (() => void)[] = [];
beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterEach(() => {
  for (const step of undo.splice(0)) step();
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

const tool = (name: string) => ({ name, description: name, inputSchema: { type: "object" } });
const text = (text: string, isError = false) => ({ result: { content: [{ type: "text", text }], isError } });

/** A device whose MCP server answers with `answer`, or not at all if that is undefined; and the requests it received. */
function connectDevice(answer: (request: Request) => object | undefined) {
  const [device, session] = [`test-${ulid()}`, ulid()];
  const requests: Request[] = [];
  let seq = 0;
  const following = bus.subscribe(channels.out(device), ({ kind, body }) => {
    if (kind !== "text" || body.type !== "mcp") return;
    const request = JSON.parse(body.payload) as Request;
    requests.push(request);
    const given = answer(request);
    if (given !== undefined) void respond(request.id, given);
  });
  const respond = (id: number, given: object) => {
    const body = { type: "mcp", payload: JSON.stringify({ jsonrpc: "2.0", id, ...given }) };
    const frame = { session, seq: (seq += 1), at: 0, kind: "control", body };
    return bus.store(loose(channels.inControl(device)), frame);
  };
  undo.push(() => following.close());
  return { device, session, origin: 5, requests, answer: respond };
}

function createClient(timeoutMs = 2000, listMs = 2000, onLeftOut?: ToolDeps["onLeftOut"]) {
  const tools = createDeviceTools(bus, { timeoutMs, listMs, ...(onLeftOut && { onLeftOut }) });
  const following = bus.subscribe(channels.inControl("*"), (frame) => tools.handle(frame));
  undo.push(() => following.close());
  return tools;
}

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

const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);

test("tools: a list is read tool by tool; what is left out is reported once with its field", async () => {
  const odd = [
    tool("a"),
    { name: "no description", inputSchema: {} },
    { name: "null", description: null, inputSchema: null },
    { name: "no schema", description: "x" },
    { name: "odd", description: 5, inputSchema: [] },
    { name: "other spelling", description: "x", parameters: { type: "object" }, annotations: null },
    { name: "text", description: "x", inputSchema: '{"type":"object"}' },
    { description: "no name" },
    { name: null },
    { name: " " },
    null,
    "tool",
    tool("a"),
    tool("z"),
  ];
  const turn = connectDevice(({ method }) => ({
    result: method === "initialize" ? {} : { tools: odd, nextCursor: null },
  }));
  const reports: unknown[] = [];
  const tools = createClient(2000, 2000, (_, left) => reports.push(left));
  const list = await tools.list(turn);
  expect(names(list)).toEqual([
    "a", "no description", "null", "no schema", "odd", "other spelling", "text", "z",
  ]); // prettier-ignore
  expect(list[2]).toEqual({ name: "null", description: "", inputSchema: { type: "object", properties: {} } });
  expect(list.slice(5, 7).map(({ inputSchema }) => inputSchema)).toEqual([{ type: "object" }, { type: "object" }]);
  await tools.list(turn);
  expect(reports).toEqual([
    [
      "tools.4.description",
      "tools.4.inputSchema",
      ...[7, 8, 9, 10, 11].map((at) => `tools.${at}.name`),
      "tools.12.duplicate",
    ],
  ]);
});

test.each<[string, object]>([
  ["is refused as unknown", { error: { code: -32601, message: "Method not found" } }],
  ["is refused without a code", { error: "no" }],
  ["is answered with null", { result: null }],
  ["is answered without a result", {}],
])("tools: `initialize` that %s does not keep the tools away", async (_, given) => {
  const turn = connectDevice(({ method }) => (method === "initialize" ? given : { result: { tools: [tool("a")] } }));
  expect(names(await createClient().list(turn))).toEqual(["a"]);
});

test.each<[string, (cursor: unknown) => object, readonly string[], number]>([
  ["`nextCursor` that is empty", () => ({ tools: [tool("a")], nextCursor: "" }), ["a"], 1],
  ["`nextCursor` that is an object", () => ({ tools: [tool("a")], nextCursor: {} }), ["a"], 1],
  ["`nextCursor` that is false", () => ({ tools: [tool("a")], nextCursor: false }), ["a"], 1],
  ["`nextCursor` that stays the same", () => ({ tools: [tool("a")], nextCursor: "x" }), ["a"], 2],
  [
    "`nextCursor` that is a number",
    (cursor) => (cursor === "" ? { tools: [tool("a")], nextCursor: 1 } : { tools: [tool("b")] }),
    ["a", "b"],
    2,
  ],
  ["no `tools`", () => ({}), [], 1],
  ["`tools` that are null", () => ({ tools: null }), [], 1],
  ["`tools` that are no list", () => ({ tools: 5 }), [], 1],
  ["the list itself", () => [tool("a")], ["a"], 1],
])("tools: a page with %s is read as far as it goes", async (_, page, expected, pages) => {
  const turn = connectDevice(({ method, params }) => ({
    result: method === "initialize" ? {} : page(params["cursor"]),
  }));
  expect(names(await createClient().list(turn))).toEqual(expected);
  expect(turn.requests).toHaveLength(1 + pages);
});

test("tools: a page that is refused leaves the pages before it", async () => {
  const turn = connectDevice(({ method, params }) => {
    if (method === "initialize") return { result: {} };
    return params["cursor"] === "" ? { result: { tools: [tool("a")], nextCursor: "b" } } : { error: "bad cursor" };
  });
  expect(names(await createClient().list(turn))).toEqual(["a"]);
});

test("tools: a tool that does not fit leaves the others", async () => {
  const huge = { ...tool("huge"), description: "x".repeat(12_000) };
  const pages: Record<string, object> = Object.fromEntries(
    Array.from({ length: 6 }, (_, at) => [
      at === 0 ? "" : String(at),
      { tools: [{ ...huge, name: `huge ${at}` }, tool(`small ${at}`)], nextCursor: at === 5 ? null : at + 1 },
    ]),
  );
  const turn = connectDevice(({ method, params }) => ({
    result: method === "initialize" ? {} : pages[String(params["cursor"])],
  }));
  const list = await createClient().list(turn);
  expect(names(list).filter((name) => name.startsWith("small"))).toHaveLength(6);
  expect(names(list)).toHaveLength(11);
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
  expect(turn.requests).toHaveLength(1);
});

test("tools: a device that refuses to list its tools is asked once", async () => {
  const turn = connectDevice(() => ({ error: { code: -32601, message: "no" } }));
  const tools = createClient();
  await expect(tools.list(turn)).rejects.toThrow("refused: no");
  expect(await tools.list(turn)).toEqual([]);
  expect(turn.requests).toHaveLength(2);
});

test("tools: a list that comes late serves later turns", async () => {
  const turn = connectDevice(({ method }) =>
    method === "initialize" ? undefined : { result: { tools: [tool("a")] } },
  );
  const tools = createClient(2000, 50);
  expect(await tools.list(turn)).toEqual([]);
  await turn.answer(turn.requests[0]?.id ?? 0, { result: {} });
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

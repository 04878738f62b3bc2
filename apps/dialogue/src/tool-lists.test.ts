import type { Bus } from "@voxbus/bus";
import { buckets } from "@voxbus/protocol";
import { connectTestBus, startNatsServer, type NatsServer, type McpDeviceRequest } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ToolDeps } from "./device-tools.ts";
import { createStoredLists } from "./tool-lists.ts";
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
const createClient = (onLeftOut?: ToolDeps["onLeftOut"]) => createTestTools(bus, onLeftOut && { onLeftOut });

const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);

test.each([
  ["no vision: both texts are there, since some clients read them without a check", undefined, { url: "", token: "" }],
  ["a vision service", { url: "http://v/explain", token: "t" }, { url: "http://v/explain", token: "t" }],
  ["a vision service without a token", { url: "http://v/explain" }, { url: "http://v/explain", token: "" }],
])("tool lists: initialize offers %s", async (_, vision, offered) => {
  const turn = connectDevice(() => ({ result: {} }));
  await createTestTools(bus, { vision }).list(turn);
  expect(turn.requests[0]).toMatchObject({ method: "initialize", params: { capabilities: { vision: offered } } });
});

test("tool lists: a list is read tool by tool; what is left out is reported once with its field", async () => {
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
  const tools = createClient((_, left) => reports.push(left));
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
])("tool lists: `initialize` that %s does not keep the tools away", async (_, given) => {
  const turn = connectDevice(({ method }) => (method === "initialize" ? given : { result: { tools: [tool("a")] } }));
  expect(names(await createClient().list(turn))).toEqual(["a"]);
});

test("tool lists: `initialize` without an answer does not keep the tools away", async () => {
  const turn = connectDevice(({ method }) =>
    method === "initialize" ? undefined : { result: { tools: [tool("a")] } },
  );
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
])("tool lists: a page with %s is read as far as it goes", async (_, page, expected, pages) => {
  const turn = connectDevice(({ method, params }) => ({
    result: method === "initialize" ? {} : page(params["cursor"]),
  }));
  expect(names(await createClient().list(turn))).toEqual(expected);
  expect(turn.requests).toHaveLength(1 + pages);
});

test("tool lists: a page that is refused leaves the pages before it", async () => {
  const turn = connectDevice(({ method, params }) => {
    if (method === "initialize") return { result: {} };
    return params["cursor"] === "" ? { result: { tools: [tool("a")], nextCursor: "b" } } : { error: "bad cursor" };
  });
  expect(names(await createClient().list(turn))).toEqual(["a"]);
});

test("tool lists: a tool that does not fit leaves the others", async () => {
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

test("tool lists: those of a shadow are what the real dialogue stores, also later, and no device is asked", async () => {
  const turn = connectDevice(() => ({ result: { tools: [tool("asked")] } }));
  const shadow = createTestTools(bus, { lists: createStoredLists(bus, 60_000) });
  const impatient = createTestTools(bus, { lists: createStoredLists(bus, 0) });
  expect(await impatient.list(turn)).toEqual([]);
  const waiting = shadow.list(turn);
  const gone = new AbortController();
  const aborted = shadow.list(turn, gone.signal);
  gone.abort(new Error("fenced"));
  await expect(aborted).rejects.toThrow("fenced");
  await bus.bucket(buckets.tools).put(turn.session, [tool("stored")]);
  expect(names(await waiting)).toEqual(["stored"]);
  expect(names(await impatient.list(turn))).toEqual(["stored"]);
  expect(turn.requests).toEqual([]);
});

import { setTimeout as delay } from "node:timers/promises";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { CallToolRequestSchema, ListToolsRequestSchema, McpError } from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";

// An MCP server for the tests of the bridge. Its argument names a way to misbehave.
const mode = process.argv[2] ?? "normal";
const text = (value) => ({ content: [{ type: "text", text: value }] });

function createServer() {
  const server = new McpServer({ name: "test", version: "1.2.3" });
  let canceled = 0;
  server.registerTool("echo", { description: "Repeats.", inputSchema: { text: z.string() } }, ({ text: given }) =>
    text(given),
  );
  server.registerTool("variables", {}, () => text(Object.keys(process.env).toSorted().join(" ")));
  server.registerTool("pid", {}, () => text(String(process.pid)));
  server.registerTool("refuse", {}, () => ({ ...text("there is no such light"), isError: true }));
  server.registerTool("picture", {}, () => ({
    content: [
      { type: "text", text: "Look:" },
      { type: "image", data: "AAAA", mimeType: "image/png" },
    ],
  }));
  server.registerTool("hang", {}, async ({ signal }) => {
    await delay(600_000, undefined, { signal }).catch(() => undefined);
    canceled += 1;
    return text("late");
  });
  server.registerTool("canceled", {}, () => text(String(canceled)));
  server.registerTool("die", {}, () => process.exit(3));
  server.registerTool("huge", {}, () => text("x".repeat(5_000_000)));
  server.registerTool("grow", {}, () => {
    server.registerTool("grown", { description: "New." }, () => text("grown"));
    return text("done");
  });
  server.registerTool("shrink.now", {}, async () => {
    // The tool that answers is the one that goes.
    setImmediate(() => shrinking.remove());
    return text("done");
  });
  const shrinking = server.registerTool("shrinking", {}, () => text("here"));
  return server;
}

function createCrowd() {
  const server = new Server({ name: "crowd", version: "1" }, { capabilities: { tools: {} } });
  const tools = Array.from({ length: 10_000 }, (_, at) => ({
    name: `tool${at}`,
    description: "d".repeat(100),
    inputSchema: { type: "object" },
  }));
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => text(params.name));
  return server;
}

function createOdd() {
  const server = new Server({ name: "odd", version: "1" }, { capabilities: { tools: {} } });
  const nested = { type: "object", properties: { a: { type: "string", description: "x".repeat(10_000) } } };
  const pages = [
    [{ name: "good", inputSchema: { properties: {} } }, { name: 5 }, "no tool", { name: "" }],
    [
      { name: "good", inputSchema: {} },
      { name: "wide", inputSchema: nested },
      { name: "list", inputSchema: [] },
    ],
    [
      { name: "array", inputSchema: { type: "array" } },
      { name: "typo", inputSchema: { properties: { a: { type: "strng" } } } },
      { name: "bare" },
    ],
  ];
  server.setRequestHandler(ListToolsRequestSchema, ({ params }) => {
    const at = Number(params?.cursor ?? 0);
    return {
      tools: pages[at],
      ...(at + 1 < pages.length ? { nextCursor: String(at + 1) } : { nextCursor: String(at) }),
    };
  });
  return server;
}

/** Answers calls with errors of the protocol, and with what cannot be read. */
function createRough() {
  const server = new Server({ name: "rough", version: "1" }, { capabilities: { tools: {} } });
  const tools = ["fail", "deep", "hang"].map((name) => ({ name, inputSchema: { type: "object" } }));
  let pages = 0;
  server.setRequestHandler(ListToolsRequestSchema, () => {
    pages += 1;
    return { tools: tools.map((tool) => ({ ...tool, description: `list ${Math.min(pages, 40)}` })) };
  });
  server.setRequestHandler(CallToolRequestSchema, ({ params }, { requestId }) => {
    if (params.name === "fail") throw new McpError(params.arguments.code, "too many requests");
    if (params.name === "deep") {
      const deep = `${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`;
      const answer = `{"jsonrpc":"2.0","id":${requestId},"result":{"content":[],"structuredContent":${deep}}}`;
      process.stdout.write(`${answer}\n`);
    }
    return new Promise(() => undefined);
  });
  return server;
}

const modes = {
  async hang() {
    process.stderr.write(`pid ${process.pid}\n`);
    process.stdin.resume();
  },
  async crash() {
    process.stderr.write(`cannot start: bad key ${process.env.KEY}\n`);
    process.exit(1);
  },
  async garbage() {
    process.stdout.write('starting up…\n{"jsonrpc":"3.0"}\n');
    await createServer().connect(new StdioServerTransport());
  },
  async flood() {
    await createServer().connect(new StdioServerTransport());
    setInterval(() => process.stdout.write("garbage\n".repeat(1000)), 1);
  },
  async line() {
    await createServer().connect(new StdioServerTransport());
    setInterval(() => process.stdout.write("x".repeat(1_000_000)), 1);
  },
  async noise() {
    await createServer().connect(new StdioServerTransport());
    setInterval(() => process.stderr.write(`noise ${process.env.KEY}\n`.repeat(1000)), 1);
  },
  async crowd() {
    await createCrowd().connect(new StdioServerTransport());
  },
  async rough() {
    await createRough().connect(new StdioServerTransport());
  },
  async secrets() {
    const { KEY, TOKEN } = process.env;
    process.stderr.write(`${KEY}\n${"x".repeat(490)}${TOKEN}`);
    process.stderr.write(`${TOKEN}\n`);
    process.exit(1);
  },
  async odd() {
    await createOdd().connect(new StdioServerTransport());
  },
  async normal() {
    await createServer().connect(new StdioServerTransport());
  },
};
await modes[mode]();

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test, vi } from "vitest";
import { httpServer, startBridge } from "./test-bridge.ts";
import { startHttpServer } from "./test-http-server.ts";

const long = { timeout: 15_000 };
const transports = [
  { path: "/mcp", kind: undefined },
  { path: "/sse", kind: "sse" },
] as const;

test.each(transports)(
  "remote server ($path): its tools are offered, followed, called and canceled",
  async (transport) => {
    const server = await startHttpServer();
    const { bridge, call, awaitTool } = startBridge([httpServer("web", server.url + transport.path, transport)]);
    await bridge.tried;
    expect(await call("web_echo", { text: "hello" })).toBe("hello");
    server.addTool("later");
    await awaitTool("web_later");
    expect(await call("web_later")).toBe("later");
    const canceling = new AbortController();
    const hanging = call("web_hang", {}, canceling.signal);
    canceling.abort(new Error("fenced"));
    await expect(hanging).rejects.toThrow("fenced");
    await vi.waitFor(() => expect(server.canceled()).toBe(1), long);
    expect(server.refused()).toBe(0);
  },
);

test.each(transports)("remote server ($path): one that restarts is connected again", async (transport) => {
  const server = await startHttpServer();
  const { bridge, tools, call, awaitTool } = startBridge([httpServer("web", server.url + transport.path, transport)], {
    refreshMs: 300,
  });
  await bridge.tried;
  await server.stop();
  await vi.waitFor(() => expect([...tools.keys()]).toEqual([]), long);
  await server.restart();
  await awaitTool("web_echo");
  expect(await call("web_echo", { text: "back" })).toBe("back");
  expect(bridge.states()[0]?.restarts).toBeGreaterThan(0);
});

test.each(transports)(
  "remote server ($path): a wrong token is logged with its status, without texts",
  async (transport) => {
    const server = await startHttpServer();
    const settings = httpServer("web", server.url + transport.path, transport);
    const address = {
      ...settings.address,
      headers: { authorization: "Bearer wrong-token" },
    } as typeof settings.address;
    const { bridge, lines, tools } = startBridge([{ ...settings, address }]);
    await bridge.tried;
    expect(lines.at(-1)).toEqual({
      message: "server not connected, retrying",
      fields: { server: "web", reason: "HTTP 401" },
    });
    expect(tools.size).toBe(0);
    expect(JSON.stringify(lines)).not.toMatch(/hunter2|wrong-token/);
  },
);

test.each(transports)("remote server ($path): a message that is too large ends the connection", async (transport) => {
  const server = await startHttpServer();
  const { bridge, lines, call, awaitTool } = startBridge([httpServer("web", server.url + transport.path, transport)]);
  await bridge.tried;
  await expect(call("web_huge")).rejects.toThrow();
  await vi.waitFor(
    () =>
      expect(lines.map(({ fields }) => fields["reason"])).toContain(
        "a message of the server has more than 4194304 bytes",
      ),
    long,
  );
  await awaitTool("web_echo");
});

test("remote server: an answer that cannot be used fails its call, and the connection stands", async () => {
  const answers: Readonly<Record<string, object>> = {
    initialize: { protocolVersion: "2025-03-26", capabilities: { tools: {} }, serverInfo: { name: "x", version: "1" } },
    "tools/list": { tools: [{ name: "echo", inputSchema: { type: "object" } }] },
  };
  let [type, body] = ["", ""];
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { method, id } = JSON.parse((await text(request)) || "{}") as { method?: string; id?: number };
    const result = answers[method ?? ""];
    if (method === "tools/call") response.writeHead(200, { "content-type": type }).end(body);
    else if (result === undefined) response.writeHead(method === undefined ? 405 : 202).end();
    else {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
    }
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const { bridge, call } = startBridge([httpServer("web", `http://127.0.0.1:${port}/mcp`)]);
  await bridge.tried;
  for ([type, body] of [
    ["text/html", "<h1>Please wait</h1>"],
    ["application/json", ""],
    ["application/json", "{"],
    ["application/json", '{"jsonrpc":"3.0"}'],
  ] as const)
    await expect(call("web_echo")).rejects.toThrow("the server's answer cannot be used");
  expect(bridge.states()[0]).toMatchObject({ connected: true, restarts: 0 });
});

test("remote server: one that accepts a connection and never answers is given up", async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void (silent.closeAllConnections(), silent.close()));
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const { bridge, lines } = startBridge([httpServer("a", url), httpServer("b", url, { kind: "sse" })], {
    startMs: 500,
  });
  await bridge.tried;
  const reasons = lines.map(({ fields }) => `${String(fields["server"])} ${String(fields["reason"])}`);
  expect(reasons.sort()).toEqual(["a not initialized within 500 ms", "b not initialized within 500 ms"]);
});

test("remote server: credentials are not sent to another address by a redirect", async () => {
  const seen: (string | undefined)[] = [];
  const other = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.end("{}");
  });
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const first = createServer((_, response) => {
    response.writeHead(307, { location: `http://127.0.0.1:${(other.address() as AddressInfo).port}/mcp` }).end();
  });
  await new Promise<void>((resolve) => first.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void (first.close(), other.close()));
  const { bridge, lines } = startBridge([
    httpServer("a", `http://127.0.0.1:${(first.address() as AddressInfo).port}/mcp`),
  ]);
  await bridge.tried;
  expect(seen).toEqual([]);
  expect(lines.at(-1)?.message).toBe("server not connected, retrying");
});

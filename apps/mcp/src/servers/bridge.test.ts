import { expect, onTestFinished, test, vi } from "vitest";
import type { ServerAddress } from "./servers-file.ts";
import { startBridge, stdioServer } from "./test-bridge.ts";

const long = { timeout: 15_000 };

test("bridge: the tools of a process are offered with their schemas, and called", async () => {
  const { bridge, tools, call, outcomes } = startBridge([stdioServer("one")]);
  await bridge.tried;
  const echo = tools.get("one_echo");
  expect(echo).toMatchObject({ description: "Repeats.", timeoutMs: 5000, groups: undefined, finishes: false });
  expect(echo?.schema).toMatchObject({ type: "object", properties: { text: { type: "string" } }, required: ["text"] });
  expect(tools.has("one_shrink_now")).toBe(true);
  expect(await call("one_echo", { text: "hello" })).toBe("hello");
  expect(await call("one_picture")).toBe("Look:\n[image image/png]");
  await expect(call("one_refuse")).rejects.toThrow("there is no such light");
  expect(outcomes).toEqual(["one done", "one done", "one refused"]);
  expect(bridge.states()).toEqual([{ server: "one", connected: true, tools: tools.size, restarts: 0 }]);
});

test("bridge: a process gets its own variables, and none of this process's secrets", async () => {
  vi.stubEnv("VOXBUS_NATS_TOKEN", "secret");
  const { bridge, call } = startBridge([stdioServer("one")]);
  await bridge.tried;
  vi.unstubAllEnvs();
  const names = (await call("one_variables")).split(" ");
  expect(names).toEqual(expect.arrayContaining(["KEY", "PATH"]));
  expect(names.filter((name) => name.startsWith("VOXBUS"))).toEqual([]);
});

test("bridge: the file's patterns say which tools are offered, to which groups, and which of them finish", async () => {
  const { bridge, tools } = startBridge([
    stdioServer("one", "normal", {
      tools: ["e*", "hang", "refuse"],
      groups: { kids: ["echo"], adults: ["*o", "hang"] },
      finishes: ["h*"],
    }),
  ]);
  await bridge.tried;
  const offered = [...tools.values()].map(({ name, groups, finishes }) => [name, groups, finishes]);
  expect(offered).toEqual([
    ["one_echo", ["kids", "adults"], false],
    ["one_hang", ["adults"], true],
  ]);
});

test("bridge: patterns that match no tool are logged with their fields, and the tools are counted", async () => {
  const { bridge, tools, lines } = startBridge([
    stdioServer("one", "normal", {
      tools: ["echo", "refus*", "Echo", "light_*"],
      groups: { kids: ["echo", "hang"], adults: ["*"] },
      finishes: ["order_*", "refuse"],
    }),
    stdioServer("two"),
  ]);
  await bridge.tried;
  expect([...tools.keys()].filter((name) => name.startsWith("one"))).toEqual(["one_echo", "one_refuse"]);
  const logged = (message: string) => lines.filter((line) => line.message === message).map(({ fields }) => fields);
  const idle = ["tools: Echo", "tools: light_*", "groups.kids: hang", "finishes: order_*"];
  expect(logged("patterns unmatched")).toEqual([{ server: "one", patterns: idle }]);
  const connected = logged("server connected");
  const [one, two] = ["one", "two"].map((server) => connected.find((fields) => fields["server"] === server));
  expect(two?.["tools"]).toBe([...tools.keys()].length - 2);
  expect(one).toMatchObject({ tools: 2, listed: two?.["listed"] });
});

test("bridge: follows the list of tools while the server runs", async () => {
  const { bridge, tools, call, awaitTool } = startBridge([stdioServer("one")]);
  await bridge.tried;
  const before = tools.get("one_echo");
  expect(await call("one_grow")).toBe("done");
  await awaitTool("one_grown");
  expect(await call("one_grown")).toBe("grown");
  await call("one_shrink_now");
  await vi.waitFor(() => expect(tools.has("one_shrinking")).toBe(false), long);
  expect(tools.get("one_echo")).toBe(before);
});

test("bridge: a canceled call is canceled at the server too", async () => {
  const { bridge, call, outcomes } = startBridge([stdioServer("one")]);
  await bridge.tried;
  const canceling = new AbortController();
  const hanging = call("one_hang", {}, canceling.signal);
  canceling.abort(new Error("fenced"));
  await expect(hanging).rejects.toThrow("fenced");
  await vi.waitFor(async () => expect(await call("one_canceled")).toBe("1"), long);
  expect(outcomes[0]).toBe("one canceled");
});

test("bridge: a call has a deadline, after which it is canceled at the server", async () => {
  const { bridge, call, outcomes } = startBridge([stdioServer("one", "normal", { timeoutMs: 200 })]);
  await bridge.tried;
  await expect(call("one_hang")).rejects.toThrow("did not answer within 200 ms");
  await vi.waitFor(async () => expect(await call("one_canceled")).toBe("1"), long);
  expect(outcomes[0]).toBe("one timeout");
});

test("bridge: calls beyond the limit are refused at once", async () => {
  const { bridge, call, outcomes } = startBridge([stdioServer("one")], { calls: 2 });
  await bridge.tried;
  const canceling = new AbortController();
  const hanging = [1, 2].map(() => call("one_hang", {}, canceling.signal));
  await expect(call("one_echo", { text: "x" })).rejects.toThrow("busy");
  canceling.abort(new Error("enough"));
  await Promise.allSettled(hanging);
  expect(await call("one_echo", { text: "x" })).toBe("x");
  expect(outcomes[0]).toBe("one busy");
});

test("bridge: a process that dies in mid-call is started again; meanwhile its tools are gone", async () => {
  const { bridge, tools, call, awaitTool } = startBridge([stdioServer("one"), stdioServer("two")]);
  await bridge.tried;
  const hanging = call("one_hang");
  const dying = call("one_die");
  await expect(dying).rejects.toThrow("the server ended during the call");
  await expect(hanging).rejects.toThrow("the server ended during the call");
  await vi.waitFor(() => expect([...tools.keys()].filter((name) => name.startsWith("one_"))).toEqual([]), long);
  expect(await call("two_echo", { text: "still here" })).toBe("still here");
  await awaitTool("one_echo");
  expect(await call("one_echo", { text: "back" })).toBe("back");
  expect(bridge.states()[0]).toMatchObject({ connected: true, restarts: 1 });
});

test("bridge: an error that a server answers is told to the model, whatever its code, and the connection stands", async () => {
  const { bridge, call, outcomes } = startBridge([stdioServer("one", "rough")]);
  await bridge.tried;
  const canceling = new AbortController();
  const hanging = call("one_hang", {}, canceling.signal);
  for (const code of [-32_000, -32_001, -32_603, -1, 42])
    await expect(call("one_fail", { code })).rejects.toThrow(/^too many requests$/);
  await expect(call("one_deep")).rejects.toThrow("the server's answer cannot be used");
  expect(outcomes).toEqual(Array.from({ length: 6 }, () => "one refused"));
  canceling.abort(new Error("fenced"));
  await expect(hanging).rejects.toThrow("fenced");
  expect(bridge.states()[0]).toMatchObject({ connected: true, restarts: 0 });
});

test("bridge: a list that is read again and again leaves nothing behind", async () => {
  const warned = vi.fn();
  process.on("warning", warned);
  onTestFinished(() => void process.off("warning", warned));
  const { bridge, tools } = startBridge([stdioServer("one", "rough")], { refreshMs: 10 });
  await bridge.tried;
  await vi.waitFor(() => expect(tools.get("one_fail")?.description).toBe("list 40"), long);
  expect(warned).not.toHaveBeenCalled();
});

test("bridge: a secret of several lines, and one that is cut off, are not logged", async () => {
  const TOKEN = "token-0123456789-0123456789";
  const KEY = "first line of a key\r\nsecond line of a key\nend";
  const address = { ...stdioServer("one", "secrets").address, env: { KEY, TOKEN } } as ServerAddress;
  const { bridge, lines } = startBridge([stdioServer("one", "secrets", { address, secrets: [KEY, TOKEN] })]);
  await bridge.tried;
  const shown = lines.flatMap(({ fields: { line } }) => (typeof line === "string" ? line.replace(/x+/, "") : []));
  expect(shown).toEqual(["***", "***", "end", "***"]);
});

test("bridge: a server that does not initialize in time is logged, and the others work", async () => {
  const { bridge, lines, call } = startBridge([stdioServer("bad", "hang"), stdioServer("good")], { startMs: 2500 });
  await bridge.tried;
  expect(await call("good_echo", { text: "x" })).toBe("x");
  const failure = lines.find(({ message }) => message === "server not connected, retrying");
  expect(failure?.fields).toEqual({ server: "bad", reason: "not initialized within 2500 ms" });
});

test("bridge: a server that ends at its start is logged with what it wrote, without its secrets", async () => {
  const { bridge, lines } = startBridge([stdioServer("bad", "crash")]);
  await bridge.tried;
  expect(lines.map(({ message, fields }) => [message, fields["line"] ?? fields["reason"]])).toEqual([
    ["server wrote to standard error", "cannot start: bad key ***"],
    ["server not connected, retrying", "the connection ended"],
  ]);
});

test("bridge: a command that does not exist is logged", async () => {
  const address = { kind: "stdio", command: "/nowhere/server", args: [], env: {}, cwd: undefined } as const;
  const { bridge, lines } = startBridge([stdioServer("bad", "", { address })]);
  await bridge.tried;
  expect(lines.at(-1)?.fields).toEqual({ server: "bad", reason: "Error ENOENT" });
});

test("bridge: garbage on a server's standard output is logged once, without its text", async () => {
  const { bridge, lines, call } = startBridge([stdioServer("one", "garbage")]);
  await bridge.tried;
  expect(await call("one_echo", { text: "x" })).toBe("x");
  expect(lines.filter(({ message }) => message === "transport failed")).toHaveLength(1);
  expect(JSON.stringify(lines)).not.toContain("starting up");
});

test.each([
  ["flood", "more than 2000 messages in 10000 ms"],
  ["line", "the connection ended"],
])("bridge: a server that writes without end is given up (%s)", async (mode, reason) => {
  const { bridge, lines, call } = startBridge([stdioServer("bad", mode), stdioServer("good")]);
  await bridge.tried;
  await vi.waitFor(() => expect(lines.map(({ fields }) => fields["reason"])).toContain(reason), long);
  expect(await call("good_echo", { text: "x" })).toBe("x");
});

test("bridge: a server that floods its standard error works, and its first lines are logged without secrets", async () => {
  const { bridge, lines, call } = startBridge([stdioServer("one", "noise")]);
  await bridge.tried;
  await vi.waitFor(() => expect(lines.filter(({ fields }) => fields["line"])).toHaveLength(50), long);
  for (let times = 0; times < 20; times += 1) expect(await call("one_echo", { text: "x" })).toBe("x");
  expect(lines.filter(({ fields }) => fields["line"])).toHaveLength(50);
  expect(lines[0]?.fields["line"]).toBe("noise ***");
});

test("bridge: of 10,000 tools the first are offered, and the number of the others is logged", async () => {
  const { bridge, tools, lines, call } = startBridge([stdioServer("one", "crowd")], { tools: 10 });
  await bridge.tried;
  expect(tools.size).toBe(10);
  expect(await call("one_tool9")).toBe("tool9");
  const left = { "too-many": 9990 };
  expect(lines.find(({ message }) => message === "tools left out")?.fields).toEqual({ server: "one", leftOut: left });
  expect(bridge.leftOut()).toEqual(left);
});

test("bridge: all tools together have a limit of bytes, and one that goes makes room", async () => {
  const tools = 10_000;
  const { bridge, tools: offered } = startBridge([stdioServer("one", "crowd")], { tools });
  await bridge.tried;
  const { "no-room": left = 0 } = bridge.leftOut();
  expect(left).toBeGreaterThan(1000);
  expect(offered.size + left).toBe(tools);
});

test("bridge: tools that cannot be read are left out, each with its reason", async () => {
  const { bridge, tools } = startBridge([stdioServer("one", "odd")]);
  await bridge.tried;
  expect([...tools.keys()]).toEqual(["one_good", "one_bare"]);
  expect(bridge.leftOut()).toEqual({
    "bad-tool": 1,
    "bad-name": 2,
    duplicate: 1,
    "schema-too-large": 1,
    "bad-schema": 3,
  });
});

test("bridge: a message that is too large ends the connection, and the others work", async () => {
  const { bridge, call, awaitTool } = startBridge([stdioServer("one"), stdioServer("two")]);
  await bridge.tried;
  await expect(call("one_huge")).rejects.toThrow("the server ended during the call");
  expect(await call("two_echo", { text: "x" })).toBe("x");
  await awaitTool("one_echo");
});

test("bridge: closing it ends its processes, also those that are starting", async () => {
  const { bridge, tools, lines, call } = startBridge([stdioServer("one"), stdioServer("bad", "hang")], {
    startMs: 60_000,
  });
  await vi.waitFor(() => expect(lines.map(({ message }) => message)).toContain("server wrote to standard error"), long);
  await vi.waitFor(() => expect(tools.has("one_echo")).toBe(true), long);
  const pids = [Number(String(lines.find(({ fields }) => fields["line"])?.fields["line"]).slice("pid ".length))];
  pids.push(Number(await call("one_pid")));
  expect(pids.map((pid) => process.kill(pid, 0))).toEqual([true, true]);
  const began = performance.now();
  await bridge.close();
  expect(performance.now() - began).toBeLessThan(4500);
  expect(tools.size).toBe(0);
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});

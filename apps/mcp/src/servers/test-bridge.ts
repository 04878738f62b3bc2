import { fileURLToPath } from "node:url";
import type { Log } from "@voxbus/service";
import { onTestFinished, vi } from "vitest";
import { bridgeServers, type Bridge, type BridgeLimits } from "./bridge.ts";
import type { BridgedTool } from "./offered-tools.ts";
import type { ServerAddress, ServerSettings } from "./servers-file.ts";

/** The settings of a server of `test-stdio-server.mjs` in one of its modes. */
export function stdioServer(name: string, mode = "normal", settings: Partial<ServerSettings> = {}): ServerSettings {
  const path = fileURLToPath(new URL("test-stdio-server.mjs", import.meta.url));
  const env = { KEY: "hunter2hunter2" };
  return {
    ...base(name, { kind: "stdio", command: process.execPath, args: [path, mode], env, cwd: undefined }),
    ...settings,
  };
}

/** The settings of a server that is reached over HTTP. */
export function httpServer(name: string, url: string, settings: Partial<ServerSettings> & { kind?: "sse" } = {}) {
  const { kind = "http", ...rest } = settings;
  return { ...base(name, { kind, url: new URL(url), headers: { authorization: "Bearer right-token" } }), ...rest };
}

function base(name: string, address: ServerAddress): ServerSettings {
  const common = { tools: ["*"], groups: undefined, finishes: [], timeoutMs: 5000, secrets: ["hunter2hunter2"] };
  return { name, address, ...common };
}

/** A bridge under test: the tools that it offers, and what it logged and counted. */
export interface TestBridge {
  readonly bridge: Bridge & {
    /** Resolves when each server was connected, or has failed, once. */
    readonly tried: Promise<unknown>;
  };
  readonly tools: ReadonlyMap<string, BridgedTool>;
  readonly lines: readonly { readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[];
  readonly outcomes: readonly string[];
  /** Calls a tool that is offered. */
  call(tool: string, args?: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<string>;
  /** Waits until a tool is offered. */
  awaitTool(name: string): Promise<void>;
}

/** Starts a bridge whose tools only the test is offered. */
export function startBridge(servers: readonly ServerSettings[], limits: Partial<BridgeLimits> = {}): TestBridge {
  const tools = new Map<string, BridgedTool>();
  const lines: { message: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const outcomes: string[] = [];
  const waiting = new Map<unknown, () => void>();
  const tried = Promise.all(servers.map(({ name }) => new Promise<void>((resolve) => waiting.set(name, resolve))));
  const write = (fields: Readonly<Record<string, unknown>>, message: string) => {
    lines.push({ message, fields });
    if (/^server (not )?connected/.test(message)) waiting.get(fields["server"])?.();
  };
  const bridge = bridgeServers({
    servers,
    limits: { startMs: 15_000, refreshMs: 60_000, tools: 64, calls: 8, ...limits },
    log: { debug: write, info: write, warn: write, error: write } as unknown as Log,
    metrics: { called: (server, outcome) => void outcomes.push(`${server} ${outcome}`) },
    offer(tool) {
      if (tools.has(tool.name)) throw new Error(`${tool.name} is offered twice`);
      tools.set(tool.name, tool);
      return { close: () => void tools.delete(tool.name) };
    },
  });
  onTestFinished(() => bridge.close());
  return {
    bridge: { ...bridge, tried },
    tools,
    lines,
    outcomes,
    call(name, args = {}, signal = new AbortController().signal) {
      const tool = tools.get(name);
      if (tool === undefined) throw new Error(`no tool ${name} among ${[...tools.keys()].join(" ")}`);
      return tool.call(args, signal);
    },
    awaitTool: (name) => vi.waitFor(() => void (tools.has(name) || expectTool(name)), { timeout: 15_000 }),
  };
}

function expectTool(name: string): never {
  throw new Error(`tool ${name} is not offered`);
}

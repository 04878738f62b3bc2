import { matchesAny } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { createCaller, type Caller, type CallMetrics } from "./caller.ts";
import type { ServerConnection } from "./connection.ts";
import { createOfferedTools, type BridgedTool, type Offer, type Room } from "./offered-tools.ts";
import { prefixOf, type ServerSettings } from "./servers-file.ts";
import { superviseServer, type SupervisedServer, type SupervisorLimits } from "./supervisor.ts";
import type { LeftOutReason, McpTool, McpToolList } from "./tool-list.ts";
import { nameTools } from "./tool-names.ts";

/** Limits of a bridge, for each of its servers. Times are in ms. */
export interface BridgeLimits extends SupervisorLimits {
  /** Calls to one server at the same time. */
  readonly calls: number;
}

/** Gives a bridge its servers, its limits, and the place where tools are offered. */
export interface BridgeOptions {
  readonly servers: readonly ServerSettings[];
  readonly limits: BridgeLimits;
  readonly log: Log;
  readonly metrics: CallMetrics;
  readonly offer: Offer;
}

/** Tells how a server is. */
export interface ServerState {
  readonly server: string;
  readonly connected: boolean;
  readonly tools: number;
  readonly restarts: number;
}

/** The MCP servers of a file, with their tools on the bus. */
export interface Bridge {
  states(): readonly ServerState[];
  /** The number of listed tools that are not offered now, by reason. */
  leftOut(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

/** The most bytes of the descriptions and schemas of all tools: a program describes itself in one message of NATS. */
const maxBytes = 524_288;

/** Starts to bridge the servers. One that fails is logged and tried again, and the others are not affected by it. */
export function bridgeServers(options: BridgeOptions): Bridge {
  const room = { bytes: maxBytes };
  const bridged = options.servers.map((settings) => bridgeServer(settings, options, room));
  return {
    states: () =>
      bridged.map(({ server, tools }) => ({
        server: server.name,
        connected: server.connected(),
        tools: tools(),
        restarts: server.restarts(),
      })),
    leftOut: () => sumCounts(bridged.map(({ leftOut }) => leftOut())),
    async close() {
      await Promise.all(bridged.map(({ server }) => server.close()));
    },
  };
}

type LeftOut = Readonly<Partial<Record<LeftOutReason | "no-room", number>>>;

interface BridgedServer {
  readonly server: SupervisedServer;
  tools(): number;
  leftOut(): LeftOut;
}

function bridgeServer(settings: ServerSettings, options: BridgeOptions, room: Room): BridgedServer {
  const { log, limits, metrics, offer } = options;
  const { name: server } = settings;
  let connection: ServerConnection | undefined;
  let leftOut: LeftOut = {};
  let unmatched: readonly string[] = [];
  const offered = createOfferedTools(offer, room);
  const caller = createCaller(server, { most: limits.calls, connection: () => connection, metrics, log });

  const update = (current: ServerConnection, list: McpToolList) => {
    connection = current;
    const refused = offered.replace(describeTools(settings, list.tools, caller.call));
    const left: LeftOut = { ...list.leftOut, ...(refused > 0 && { "no-room": refused }) };
    if (JSON.stringify(left) !== JSON.stringify(leftOut) && Object.keys(left).length > 0) {
      log.warn({ server, leftOut: left }, "tools left out");
    }
    leftOut = left;
    const patterns = list.tools.length === 0 ? [] : findIdlePatterns(settings, list.tools);
    if (patterns.join() !== unmatched.join() && patterns.length > 0)
      log.warn({ server, patterns }, "patterns unmatched");
    unmatched = patterns;
    return { tools: offered.count(), listed: list.tools.length + sumValues(list.leftOut) };
  };
  const lose = () => {
    connection = undefined;
    leftOut = {};
    unmatched = [];
    offered.replace([]);
  };
  const events = { tools: update, lost: lose, busy: caller.busy };
  return {
    server: superviseServer(settings, { log, limits, events }),
    tools: offered.count,
    leftOut: () => leftOut,
  };
}

/** Describes the tools that the file allows, as the bus offers them. */
function describeTools(
  settings: ServerSettings,
  listed: readonly McpTool[],
  call: Caller["call"],
): readonly BridgedTool[] {
  const { name: server, tools, groups, finishes, timeoutMs } = settings;
  const own = listed.map(({ name }) => name);
  const names = nameTools(prefixOf(server), own);
  return listed.flatMap(({ name, description, schema }) => {
    const busName = names.get(name);
    const allowed = groupsOf(name, groups);
    if (busName === undefined || !matchesAny(name, tools) || allowed?.length === 0) return [];
    return {
      name: busName,
      description,
      schema,
      timeoutMs,
      groups: allowed,
      finishes: matchesAny(name, finishes),
      call: (args: Readonly<Record<string, unknown>>, signal: AbortSignal) => call(name, args, signal),
    };
  });
}

/** Names the patterns of the file that have no effect, each with its field: no tool that the server lists and the file offers fits it. */
function findIdlePatterns(
  { tools, groups = {}, finishes }: ServerSettings,
  listed: readonly McpTool[],
): readonly string[] {
  const names = listed.map(({ name }) => name);
  const offered = names.filter((name) => matchesAny(name, tools));
  // `*` stands for all tools, however many there are.
  const isIdle = (pattern: string, among: readonly string[]) =>
    pattern !== "*" && !among.some((name) => matchesAny(name, [pattern]));
  const idle = (field: string, patterns: readonly string[], among: readonly string[]) =>
    patterns.flatMap((pattern) => (isIdle(pattern, among) ? [`${field}: ${pattern}`] : []));
  return [
    ...idle("tools", tools, names),
    ...Object.entries(groups).flatMap(([group, patterns]) => idle(`groups.${group}`, patterns, offered)),
    ...idle("finishes", finishes, offered),
  ];
}

function groupsOf(tool: string, groups: ServerSettings["groups"]): readonly string[] | undefined {
  if (groups === undefined) return undefined;
  return Object.entries(groups).flatMap(([group, patterns]) => (matchesAny(tool, patterns) ? [group] : []));
}

function sumValues(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function sumCounts(counts: readonly LeftOut[]): Readonly<Record<string, number>> {
  const sum: Record<string, number> = {};
  for (const one of counts) for (const [name, count] of Object.entries(one)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

import type { Server } from "node:http";
import { watchPresence } from "@voxbus/presence";
import { defaultPorts } from "@voxbus/protocol";
import {
  countDropped,
  createProxies,
  listen,
  ToolError,
  withoutText,
  type Context,
  type OfferTool,
  type Program,
} from "@voxbus/subscriber";
import { checkMcpConfig, mcpConfig } from "./config.ts";
import { createAccess } from "./fleet/access.ts";
import { createCallLimit } from "./fleet/call-limit.ts";
import { createFleetServer } from "./fleet/fleet-tools.ts";
import { createFleetHttp } from "./fleet/http-server.ts";
import { createSessions } from "./fleet/sessions.ts";
import { createMetrics, type McpMetrics } from "./metrics.ts";
import { bridgeServers } from "./servers/bridge.ts";
import { isServerError } from "./servers/errors.ts";
import type { BridgedTool } from "./servers/offered-tools.ts";
import { findBuiltInNames, readServersFile } from "./servers/servers-file.ts";

/** The program: its name, its operations port and its variables. */
export const mcp: Program<typeof mcpConfig> = {
  name: "mcp",
  version: "0.1.0",
  opsPort: defaultPorts.mcp.ops,
  config: mcpConfig,
  streams: ["TURNS", "gateways", "presence", "profiles", "dialogues", "probes"],
  checkConfig: checkMcpConfig,
};

type McpContext = Context<typeof mcpConfig>;

/** A call may take this much longer on the bus than at its server, ms, so that the server's own end is the one that is told. */
const graceMs = 2000;
const closeMs = 2000;

/**
 * Builds mcp. With a file of servers it offers their tools on the bus. With a port it serves the fleet to assistants. Throws
 * ConfigError for a bad file, and ListenError if the port is taken.
 */
export async function buildMcp(context: McpContext): Promise<Readonly<Record<string, string>>> {
  const { config, meter } = context;
  const metrics = createMetrics(meter);
  if (config.VOXBUS_MCP_FILE !== undefined) startBridge(context, config.VOXBUS_MCP_FILE, metrics);
  return config.VOXBUS_MCP_PORT === undefined
    ? {}
    : { fleet: await serveFleet(context, config.VOXBUS_MCP_PORT, metrics) };
}

function startBridge(
  { config, log, signal, tool, report, defer }: McpContext,
  path: string,
  metrics: McpMetrics,
): void {
  const { servers, unknown } = readServersFile(path, process.env);
  if (unknown.length > 0) log.warn({ fields: unknown }, "unknown fields ignored");
  for (const server of servers) {
    const names = findBuiltInNames(server);
    if (names.length > 0) log.warn({ server: server.name, names }, "built-in tool names allowed");
  }
  const bridge = bridgeServers({
    servers,
    log,
    metrics,
    limits: {
      startMs: config.VOXBUS_MCP_START_MS,
      refreshMs: config.VOXBUS_MCP_REFRESH_MS,
      tools: config.VOXBUS_MCP_TOOLS,
      calls: config.VOXBUS_MCP_CALLS,
    },
    // A program that stops offers nothing new.
    offer: (bridged) => (signal.aborted ? { close: () => undefined } : offerTool(tool, bridged)),
  });
  defer(() => bridge.close());
  metrics.observeBridge(bridge);
  const sum = (count: (state: ReturnType<typeof bridge.states>[number]) => number) =>
    bridge.states().reduce((total, state) => total + count(state), 0);
  report({
    gauges: () => ({
      servers: servers.length,
      serversConnected: sum(({ connected }) => Number(connected)),
      tools: sum(({ tools }) => tools),
    }),
    totals: () => ({ serverRestarts: sum(({ restarts }) => restarts) }),
  });
}

/** Offers a server's tool on the bus. Its own words about a failure are told to the model, and not logged. */
function offerTool(tool: OfferTool, { name, description, schema, timeoutMs, groups, finishes, call }: BridgedTool) {
  return tool(
    { name, description, schema, timeoutMs: timeoutMs + graceMs, scope: groups, finishes },
    async (args: Readonly<Record<string, unknown>>, { signal }) => {
      try {
        return await call(args, signal);
      } catch (error) {
        if (isServerError(error)) throw new ToolError(error.message, { cause: withoutText(error) });
        throw error;
      }
    },
  );
}

async function serveFleet(context: McpContext, port: number, metrics: McpMetrics): Promise<string> {
  const { config, bus, send, log, meter, defer } = context;
  const presence = await watchPresence(bus);
  defer(() => presence.close());
  const profiles = await context.profiles();
  const limit = createCallLimit(config.VOXBUS_MCP_CALLS_PER_MINUTE);
  const deps = {
    bus,
    send,
    presence,
    profiles,
    log,
    allowed: { transcripts: config.VOXBUS_MCP_TRANSCRIPTS, deviceTools: config.VOXBUS_MCP_DEVICE_TOOLS },
    limit,
    called: metrics.fleetCalled,
  };
  const sessions = createSessions({ most: config.VOXBUS_MCP_SESSIONS, create: () => createFleetServer(deps) });
  metrics.observeSessions(sessions.count);
  const proxies = createProxies(config.VOXBUS_TRUSTED_PROXIES);
  const access = createAccess({ hosts: config.VOXBUS_HOSTS, token: config.VOXBUS_MCP_TOKEN, proxies });
  const server = createFleetHttp({ access, sessions, log, refused: metrics.fleetRefused });
  const address = await listen(server, {
    host: config.VOXBUS_MCP_HOST,
    port,
    variable: "VOXBUS_MCP_PORT",
    proxies,
    dropped: countDropped(meter, "fleet"),
    log,
  });
  defer(async () => {
    await sessions.close();
    await closeServer(server);
  });
  return `${address}/mcp`;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  const overdue = setTimeout(() => server.closeAllConnections(), closeMs);
  await closed;
  clearTimeout(overdue);
}

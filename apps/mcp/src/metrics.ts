import type { Meter } from "@opentelemetry/api";
import { startAtZero } from "@voxbus/subscriber";
import { fleetOutcomes, fleetTools, type FleetOutcome, type FleetTool } from "./fleet/answer.ts";
import type { Bridge } from "./servers/bridge.ts";
import { callOutcomes, type CallMetrics } from "./servers/caller.ts";

/** In seconds. */
const advice = { explicitBucketBoundaries: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] };

/** The statuses with which requests of assistants are refused. */
const refusalStatuses = [400, 401, 403, 404, 405, 429, 503];

/** The measurements of mcp. Times are in ms. */
export interface McpMetrics extends CallMetrics {
  /** Shows the servers of a bridge. */
  observeBridge(bridge: Pick<Bridge, "states" | "leftOut">): void;
  /** Counts an assistant's call. */
  fleetCalled(tool: FleetTool, outcome: FleetOutcome): void;
  /** Counts an assistant's request that was refused. */
  fleetRefused(status: number): void;
  /** Shows the number of assistants' sessions. */
  observeSessions(count: () => number): void;
}

/** Creates the program's instruments. */
export function createMetrics(meter: Meter): McpMetrics {
  const times = meter.createHistogram("voxbus_mcp_call_seconds", {
    description: "Time of a call to an MCP server, by server and outcome",
    advice,
  });
  const calls = meter.createCounter("voxbus_mcp_fleet_calls", {
    description: "Calls of assistants, by tool and outcome",
  });
  const refusals = meter.createCounter("voxbus_mcp_fleet_refused", {
    description: "Requests of assistants that were refused, by status",
  });
  startAtZero(calls, { tool: fleetTools, outcome: fleetOutcomes });
  startAtZero(refusals, { status: refusalStatuses.map(String) });
  return {
    called: (server, outcome, ms) => times.record(ms / 1000, { server, outcome }),
    observeBridge({ states, leftOut }) {
      startAtZero(times, { server: states().map(({ server }) => server), outcome: callOutcomes });
      meter
        .createObservableGauge("voxbus_mcp_server_connected", { description: "1: the MCP server is connected" })
        .addCallback((result) =>
          states().forEach(({ server, connected }) => result.observe(Number(connected), { server })),
        );
      meter
        .createObservableGauge("voxbus_mcp_server_tools", { description: "Tools of an MCP server that are offered" })
        .addCallback((result) => states().forEach(({ server, tools }) => result.observe(tools, { server })));
      meter
        .createObservableCounter("voxbus_mcp_server_restarts", {
          description: "Times an MCP server was connected again",
        })
        .addCallback((result) => states().forEach(({ server, restarts }) => result.observe(restarts, { server })));
      meter
        .createObservableGauge("voxbus_mcp_tools_left_out", {
          description: "Listed tools that are not offered, by reason",
        })
        .addCallback((result) => {
          for (const [reason, count] of Object.entries(leftOut())) result.observe(count, { reason });
        });
    },
    fleetCalled: (tool, outcome) => calls.add(1, { tool, outcome }),
    fleetRefused: (status) => refusals.add(1, { status: String(status) }),
    observeSessions: (count) =>
      meter
        .createObservableGauge("voxbus_mcp_fleet_sessions", { description: "Sessions of assistants" })
        .addCallback((result) => result.observe(count())),
  };
}

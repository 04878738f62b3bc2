import { fileURLToPath } from "node:url";
import { watchPresence } from "@voxbus/presence";
import { listen } from "@voxbus/service";
import type { Context, Program } from "@voxbus/subscriber";
import { createAdmission } from "./http/access.ts";
import { createAnnouncer } from "./api/announcer.ts";
import { createRoutes } from "./api/device-routes.ts";
import { guardPage, readAssets } from "./http/assets.ts";
import { followBroker } from "./traces/broker-spans.ts";
import { checkExposure, monitorConfig, readLimits } from "./config.ts";
import { createDeviceDataRoutes } from "./api/device-data-routes.ts";
import { createEventsRoute } from "./api/events-route.ts";
import { createGatewayRoutes } from "./api/gateway-routes.ts";
import { createLive } from "./live/live-events.ts";
import { describingRoute } from "./http/openapi.ts";
import { createOversight } from "./alerts/alerting.ts";
import { createPages } from "./http/pages.ts";
import { createProfileRoutes } from "./api/profile-routes.ts";
import { createSendRoutes } from "./api/send-routes.ts";
import { createApiServer } from "./http/server.ts";
import { createLiveSources } from "./live/live-sources.ts";
import { createStatsRoutes } from "./api/stats-routes.ts";
import { createTurns } from "./turns/turns.ts";

/** The monitor as a program. */
export const monitorProgram: Program<typeof monitorConfig> = {
  name: "monitor",
  opsPort: 9104,
  config: monitorConfig,
  checkConfig: checkExposure,
};

/**
 * Puts the monitor together: it watches presence and the gateways' leases and serves the HTTP API. Throws ConfigError
 * when it would be open to the network unsaid, PortTakenError when its port is taken.
 */
export async function buildMonitor(context: Context<typeof monitorConfig>): Promise<Readonly<Record<string, string>>> {
  const { config, bus, on, send, log, meter, signal, defer } = context;
  const { VOXBUS_MONITOR_HOST: host, VOXBUS_MONITOR_PORT: port, VOXBUS_MONITOR_TOKEN: token } = config;

  const presence = await watchPresence(bus);
  defer(() => presence.close());
  const profiles = await context.profiles();

  const broker = followBroker({ bus, meter });
  defer(() => broker.close());

  const duration = meter.createHistogram("voxbus_monitor_request_ms", { description: "time to answer, by path" });
  const turns = createTurns({ on, transcripts: config.VOXBUS_MONITOR_TRANSCRIPTS });
  defer(() => turns.close());
  const intervalMs = config.VOXBUS_MONITOR_INTERVAL_MS;
  const oversight = await createOversight({
    bus,
    presence,
    turns,
    log,
    meter,
    signal,
    intervalMs,
    leaseMs: config.VOXBUS_MONITOR_LEASE_MS,
    webhook: config.VOXBUS_MONITOR_WEBHOOK,
    limits: readLimits(config),
  });
  defer(() => oversight.close());
  const live = createLive({
    bus,
    on,
    presence,
    turns,
    sources: createLiveSources(oversight),
    transcripts: config.VOXBUS_MONITOR_TRANSCRIPTS,
    traces: config.VOXBUS_MONITOR_TRACES_URL,
    assistant: config.VOXBUS_LLM_ENGINE,
    publicUrl: config.VOXBUS_PUBLIC_URL,
  });
  defer(() => live.close());

  const api = [
    ...createRoutes({ bus, presence, profiles, log }),
    ...createSendRoutes({ bus, send, presence, profiles, announcer: createAnnouncer(send, log, signal), log }),
    ...createDeviceDataRoutes({ bus, log }),
    ...createGatewayRoutes({ bus, presence, log }),
    ...createStatsRoutes(oversight, intervalMs),
    ...createProfileRoutes({ bus, log }),
    createEventsRoute(live, signal),
  ];
  const routes = [...api, describingRoute(api)];
  const assets = readAssets(fileURLToPath(new URL("../dist/page/", import.meta.url)));
  if (!assets.has("/")) log.warn("the page was not built: npm run build");
  const server = createApiServer({
    routes,
    pages: createPages(routes),
    assets,
    guard: (host) =>
      guardPage(host, [
        ...presence.gateways().map(({ address }) => address),
        ...(config.VOXBUS_PUBLIC_URL ? [config.VOXBUS_PUBLIC_URL] : []),
      ]),
    admit: createAdmission({ host, token }),
    log,
    answered: (path, status, ms) => duration.record(ms, { path, status }),
  });
  const address = await listen(server, { host, port, variable: "VOXBUS_MONITOR_PORT" });
  defer(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    const overdue = setTimeout(() => server.closeAllConnections(), 2000);
    await closed;
    clearTimeout(overdue);
  });
  return { monitor: `${address}/` };
}

import { fileURLToPath } from "node:url";
import { watchPresence } from "@voxbus/presence";
import { defaultPorts } from "@voxbus/protocol";
import { listen } from "@voxbus/service";
import type { Context, Program } from "@voxbus/subscriber";
import { createOversight } from "./alerts/alerting.ts";
import { createAnnouncer } from "./api/announcer.ts";
import { addDeviceDataRoutes } from "./api/device-data-routes.ts";
import { addDeviceRoutes } from "./api/device-routes.ts";
import { addEventsRoute } from "./api/events-route.ts";
import { addGatewayRoutes } from "./api/gateway-routes.ts";
import { addProfileRoutes } from "./api/profile-routes.ts";
import { addBroadcastRoutes, addSendRoutes } from "./api/send-routes.ts";
import { addStatsRoutes } from "./api/measurement-routes.ts";
import { monitorConfig, readLimits } from "./config.ts";
import { checkExposure } from "./http/access.ts";
import { addAssets, readAssets } from "./http/assets.ts";
import { addDescription } from "./http/description.ts";
import { addPages } from "./http/pages.ts";
import { createApp, createAppServer } from "./http/server.ts";
import { createLive } from "./live/live-events.ts";
import { createLiveSources } from "./live/numbers.ts";
import { followBroker } from "./traces/broker-spans.ts";
import { createTurns } from "./turns/turns.ts";

/** The monitor as a program. */
export const monitorProgram: Program<typeof monitorConfig> = {
  name: "monitor",
  opsPort: defaultPorts.monitor.ops,
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

  const app = createApp({
    host,
    token,
    log,
    answered: (path, status, ms) => duration.record(ms, { path, status }),
  });
  addDeviceRoutes(app, { bus, presence, profiles, log });
  const announcer = createAnnouncer(send, log, signal);
  addSendRoutes(app, { bus, send, presence, profiles, announcer, log });
  addBroadcastRoutes(app, { bus, send, presence, profiles, announcer, log });
  addDeviceDataRoutes(app, { bus, log });
  addGatewayRoutes(app, { bus, presence, log });
  addStatsRoutes(app, oversight, intervalMs);
  addProfileRoutes(app, { bus, log });
  addEventsRoute(app, live, signal);
  addDescription(app);
  addPages(app);
  const assets = readAssets(fileURLToPath(new URL("../dist/page/", import.meta.url)));
  if (!assets.has("/")) log.warn("page not built, run npm run build");
  addAssets(app, assets, () => [
    ...presence.gateways().map(({ address }) => address),
    ...(config.VOXBUS_PUBLIC_URL ? [config.VOXBUS_PUBLIC_URL] : []),
  ]);
  const server = createAppServer(app);
  const address = await listen(server, { host, port, variable: "VOXBUS_MONITOR_PORT" });
  defer(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    const overdue = setTimeout(() => server.closeAllConnections(), 2000);
    await closed;
    clearTimeout(overdue);
  });
  return { monitor: `${address}/` };
}

import { existsSync } from "node:fs";
import type { Server } from "node:http";
import { fileURLToPath } from "node:url";
import { watchPresence, type PresenceView } from "@voxbus/presence";
import { bucketNames, defaultPorts, streamNames } from "@voxbus/protocol";
import { countDropped, createProxies, listen, type Context, type Program } from "@voxbus/subscriber";
import { createAlerting, type Alerting } from "./alerts/alerting.ts";
import { listThresholds } from "./alerts/rules.ts";
import { createAnnouncer } from "./api/announcer.ts";
import { addBroadcastRoutes } from "./api/broadcast-routes.ts";
import { addDeviceDataRoutes } from "./api/device-data-routes.ts";
import { addDeviceRoutes } from "./api/device-routes.ts";
import { addEventsRoute } from "./api/events-route.ts";
import { addGatewayRoutes } from "./api/gateway-routes.ts";
import { addHealthRoute } from "./api/health-route.ts";
import { addLoadRoutes } from "./api/load-routes.ts";
import { addMeasurementRoutes } from "./api/measurement-routes.ts";
import { addProfileRoutes } from "./api/profile-routes.ts";
import { addSendRoutes } from "./api/send-routes.ts";
import { monitorConfig } from "./config.ts";
import { checkExposure } from "./http/access.ts";
import { addDescription } from "./http/description.ts";
import { addPage } from "./http/page.ts";
import { addPages } from "./http/pages.ts";
import { createApp, createAppServer, type App } from "./http/server.ts";
import { createLive } from "./live/live-events.ts";
import { readLoad } from "./measurements/load.ts";
import { createMeasurements, type Measurements } from "./measurements/measurements.ts";
import { followBroker } from "./traces/broker-spans.ts";
import { createTurns } from "./turns/turns.ts";

const pageDirectory = fileURLToPath(new URL("../dist/page/", import.meta.url));
const closeMs = 2000;

/** The monitor as a program. */
export const monitor: Program<typeof monitorConfig> = {
  name: "monitor",
  opsPort: defaultPorts.monitor.ops,
  config: monitorConfig,
  // It brings all of them up to date, which the other programs need no permission for.
  streams: [...streamNames, ...bucketNames],
  checkConfig: checkExposure,
};

type MonitorContext = Context<typeof monitorConfig>;

/**
 * Puts the monitor together: it watches presence and the gateways' leases, measures, raises alerts, and serves the HTTP
 * API and the page. Throws ListenError if its port is taken.
 */
export async function buildMonitor(context: MonitorContext): Promise<Readonly<Record<string, string>>> {
  const { config, bus, on, log, meter, signal, defer } = context;
  const presence = await watchPresence(bus);
  defer(() => presence.close());
  const broker = followBroker({ bus, meter });
  defer(() => broker.close());
  const turns = createTurns({ on, transcripts: config.VOXBUS_MONITOR_TRANSCRIPTS });
  defer(() => turns.close());
  const measurements = createMeasurements({ bus, presence, turns, intervalMs: config.VOXBUS_MONITOR_INTERVAL_MS });
  defer(() => measurements.close());
  const alerting = await createAlerting({ bus, presence, measurements, config, log, meter, signal });
  defer(() => alerting.close());
  const thresholds = listThresholds(config);
  const live = createLive({
    bus,
    on,
    presence,
    turns,
    measurements,
    alerts: alerting.alerts,
    thresholds,
    shown: {
      transcripts: config.VOXBUS_MONITOR_TRANSCRIPTS,
      traces: config.VOXBUS_MONITOR_TRACES_URL,
      assistant: config.VOXBUS_LLM_ENGINE,
      thresholds,
    },
    publicUrl: config.VOXBUS_PUBLIC_URL,
  });
  defer(() => live.close());

  const duration = meter.createHistogram("voxbus_monitor_request_ms", { description: "time to answer, by path" });
  const limited = meter.createCounter("voxbus_monitor_refused_calls", { description: "API calls over the limit" });
  const proxies = createProxies(config.VOXBUS_TRUSTED_PROXIES);
  const app = createApp({
    hosts: config.VOXBUS_HOSTS,
    proxies,
    token: config.VOXBUS_MONITOR_TOKEN,
    callsPerMinute: config.VOXBUS_MONITOR_CALLS_PER_MINUTE,
    log,
    answered: (path, status, ms) => duration.record(ms, { path, status }),
    limited: () => limited.add(1),
  });
  await addApi(app, context, { presence, measurements, alerting });
  addLoadRoutes(app, { readLoad: () => readLoad({ measurements, turns, thresholds }), thresholds });
  addEventsRoute(app, live, signal);
  addDescription(app);
  addPages(app);
  if (existsSync(pageDirectory)) {
    const own = config.VOXBUS_PUBLIC_URL === undefined ? [] : [config.VOXBUS_PUBLIC_URL];
    addPage(app, pageDirectory, () => [...presence.gateways().map(({ address }) => address), ...own]);
  } else log.warn("page not built, run npm run build");
  const server = createAppServer(app);
  const address = await listen(server, {
    host: config.VOXBUS_MONITOR_HOST,
    port: config.VOXBUS_MONITOR_PORT,
    variable: "VOXBUS_MONITOR_PORT",
    proxies,
    dropped: countDropped(meter, "monitor"),
    log,
  });
  defer(() => closeServer(server));
  return { monitor: `${address}/` };
}

async function addApi(
  app: App,
  context: MonitorContext,
  parts: { readonly presence: PresenceView; readonly measurements: Measurements; readonly alerting: Alerting },
): Promise<void> {
  const { config, bus, send, log, signal } = context;
  const { presence, measurements, alerting } = parts;
  const profiles = await context.profiles();
  const announcer = createAnnouncer(send, log, signal);
  addDeviceRoutes(app, { bus, presence, profiles, log });
  addSendRoutes(app, { bus, send, presence, log });
  addBroadcastRoutes(app, { bus, presence, profiles, announcer, log });
  addDeviceDataRoutes(app, { bus, log });
  addGatewayRoutes(app, { bus, presence, log });
  addMeasurementRoutes(app, { measurements, alerting, intervalMs: config.VOXBUS_MONITOR_INTERVAL_MS });
  addProfileRoutes(app, { bus, log });
  addHealthRoute(app, { bus, presence });
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  const overdue = setTimeout(() => server.closeAllConnections(), closeMs);
  await closed;
  clearTimeout(overdue);
}

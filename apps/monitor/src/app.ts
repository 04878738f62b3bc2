import { existsSync } from "node:fs";
import type { Server } from "node:http";
import { fileURLToPath } from "node:url";
import { watchPresence, type PresenceView, type Profiles } from "@voxbus/presence";
import { bucketNames, defaultPorts, streamNames } from "@voxbus/protocol";
import {
  countDropped,
  createProxies,
  listen,
  startAtZero,
  type Context,
  type Program,
  type Proxies,
} from "@voxbus/subscriber";
import { createAlerting, type Alerting } from "./alerts/alerting.ts";
import { addActivationRoutes } from "./api/activation-routes.ts";
import { listThresholds } from "./alerts/rules.ts";
import { createAnnouncer } from "./api/announcer.ts";
import { addBroadcastRoutes } from "./api/broadcast-routes.ts";
import { addContractRoutes } from "./api/contract-routes.ts";
import { addDeviceDataRoutes } from "./api/device-data-routes.ts";
import { addDeviceRoutes } from "./api/device-routes.ts";
import { addDeviceToolRoutes } from "./api/device-tool-routes.ts";
import { addDialogueRoutes } from "./api/dialogue-routes.ts";
import { addEventsRoute } from "./api/events-route.ts";
import { addGatewayRoutes } from "./api/gateway-routes.ts";
import { addHealthRoute } from "./api/health-route.ts";
import { addLoadRoutes } from "./api/load-routes.ts";
import { addMeasurementRoutes } from "./api/measurement-routes.ts";
import { addRegistryRoutes } from "./api/registry-routes.ts";
import { addServiceRoutes } from "./api/service-routes.ts";
import { addMessageRoutes } from "./api/message-routes.ts";
import { addProfileRoutes } from "./api/profile-routes.ts";
import { addSendRoutes } from "./api/send-routes.ts";
import { addShadowRoute } from "./api/shadow-routes.ts";
import { addTokenRoutes } from "./api/token-routes.ts";
import { addTrialRoutes } from "./api/trial-routes.ts";
import { addWebhookRoutes } from "./api/webhook-routes.ts";
import { monitorConfig } from "./config.ts";
import { collectEvents } from "./events/collect-events.ts";
import { createRunbook } from "./events/runbook.ts";
import { createEventLog, type EventLog } from "./events/event-log.ts";
import { checkExposure, operatorToken } from "./http/access.ts";
import { addDescription } from "./http/description.ts";
import { addPage } from "./http/page.ts";
import { addPages } from "./http/pages.ts";
import { createApp, createAppServer, type App } from "./http/server.ts";
import { createLive } from "./live/live-events.ts";
import { observeLags } from "./measurements/lag-metrics.ts";
import { readLoad } from "./measurements/load.ts";
import { createMeasurements, type Measurements } from "./measurements/measurements.ts";
import { watchKnownDevices, type KnownDevices } from "./registry/known-devices.ts";
import { watchWaitingDevices, type WaitingDevices } from "./registry/waiting-devices.ts";
import { createShadows } from "./shadows/shadows.ts";
import { openTokenStore } from "./tokens/token-store.ts";
import { followBroker } from "./traces/broker-spans.ts";
import { createReceiptBook, type ReceiptBook } from "./receipts/receipt-book.ts";
import { addReceiptRoutes } from "./receipts/receipt-routes.ts";
import { createTurns } from "./turns/turns.ts";
import { openWebhooks, type Webhooks } from "./webhooks/webhooks.ts";

const pageDirectory = fileURLToPath(new URL("../dist/page/", import.meta.url));
const closeMs = 2000;

/** The monitor as a program. */
export const monitor: Program<typeof monitorConfig> = {
  name: "monitor",
  version: "0.1.0",
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
  observeLags(meter, measurements);
  const webhooks = await openWebhooks({ bus, config, log, meter, signal });
  defer(() => webhooks.close());
  const alerting = await createAlerting({ bus, presence, measurements, webhooks, config, log, meter, signal });
  defer(() => alerting.close());
  const book = createReceiptBook((device) => presence.online(device)?.features.mcp === true);
  const events = await openEvents(context, { presence, webhooks, book, active: alerting.active });
  const shadows = createShadows(bus);
  defer(() => shadows.close());
  const thresholds = listThresholds(config);
  const profiles = await context.profiles();
  const known = await watchKnownDevices({ bus, presence, profiles });
  defer(() => known.close());
  const waiting = await watchWaitingDevices(bus);
  defer(() => waiting.close());
  const live = createLive({
    bus,
    on,
    known,
    waiting,
    presence,
    turns,
    measurements,
    alerts: alerting.alerts,
    shadows,
    thresholds,
    shown: {
      transcripts: config.VOXBUS_MONITOR_TRANSCRIPTS,
      traces: config.VOXBUS_MONITOR_TRACES_URL,
      assistant: config.VOXBUS_ENGINES_FILE === undefined ? config.VOXBUS_LLM_ENGINE : "named",
      thresholds,
    },
    publicUrl: config.VOXBUS_PUBLIC_URL,
  });
  defer(() => live.close());

  const proxies = createProxies(config.VOXBUS_TRUSTED_PROXIES);
  const app = await openApp(context, proxies);
  const forget = (device: string) => {
    events.forget(device);
    turns.forget(device);
  };
  addApi(app, context, { presence, profiles, book, known, waiting, measurements, alerting, forget });
  addLoadRoutes(app, { readLoad: () => readLoad({ measurements, turns, thresholds }), thresholds });
  addShadowRoute(app, shadows);
  addEventsRoute(app, { live, events, signal });
  addWebhookRoutes(app, { bus, webhooks, linkLocal: config.VOXBUS_MONITOR_WEBHOOK_LINK_LOCAL, log });
  addContractRoutes(app);
  addDescription(app);
  addPages(app);
  if (existsSync(pageDirectory)) {
    const own = config.VOXBUS_PUBLIC_URL === undefined ? [] : [config.VOXBUS_PUBLIC_URL];
    const leased = () =>
      presence.gateways().flatMap(({ address, url }) => (url === undefined ? [address] : [address, url]));
    addPage(app, pageDirectory, () => [...leased(), ...own]);
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

/** Collects what happens. The active monitor posts it to the webhooks. */
async function openEvents(
  { config, bus, on, defer }: MonitorContext,
  parts: {
    readonly presence: PresenceView;
    readonly webhooks: Webhooks;
    readonly book: ReceiptBook;
    readonly active: () => boolean;
  },
): Promise<EventLog> {
  const { presence, webhooks, book, active } = parts;
  const events = createEventLog();
  const collecting = await collectEvents({
    bus,
    on,
    presence,
    transcripts: config.VOXBUS_MONITOR_TRANSCRIPTS,
    runbook: createRunbook(config.VOXBUS_MONITOR_RUNBOOK_URL),
    happened(event) {
      events.add(event);
      book.note(event);
      // Alerts are posted as they are recorded.
      if (event.kind !== "alert" && active()) webhooks.post(event);
    },
  });
  defer(() => collecting.close());
  return events;
}

/** Opens the app, which counts its calls, and adds the routes of the tokens that it takes. */
async function openApp({ config, bus, log, meter, defer }: MonitorContext, proxies: Proxies): Promise<App> {
  const duration = meter.createHistogram("voxbus_monitor_request_seconds", {
    description: "Time to answer, by path",
    advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] },
  });
  const description = "API calls with a token, by its name";
  const calls = startAtZero(meter.createCounter("voxbus_monitor_calls", { description }), { token: [operatorToken] });
  const refused = meter.createCounter("voxbus_monitor_refused_calls", { description: "API calls over the limit" });
  const limited = startAtZero(refused, { token: ["none"] });
  const tokens = await openTokenStore(bus);
  defer(() => tokens.close());
  const app = createApp({
    hosts: config.VOXBUS_HOSTS,
    proxies,
    token: config.VOXBUS_MONITOR_TOKEN,
    tokens,
    callsPerMinute: config.VOXBUS_MONITOR_CALLS_PER_MINUTE,
    log,
    answered({ path, status, ms, token }) {
      duration.record(ms / 1000, { path, status });
      if (token !== undefined) calls.add(1, { token });
    },
    limited: (token = "none") => limited.add(1, { token }),
  });
  addTokenRoutes(app, { bus, tokens, log });
  return app;
}

function addApi(
  app: App,
  context: MonitorContext,
  parts: {
    readonly presence: PresenceView;
    readonly profiles: Profiles;
    readonly book: ReceiptBook;
    readonly known: KnownDevices;
    readonly waiting: WaitingDevices;
    readonly measurements: Measurements;
    readonly alerting: Alerting;
    readonly forget: (device: string) => void;
  },
): void {
  const { config, bus, send, log, signal } = context;
  const { presence, profiles, book, known, waiting, measurements, alerting, forget } = parts;
  const announcer = createAnnouncer(send, log, signal);
  addDeviceRoutes(app, { bus, presence, profiles, log });
  addSendRoutes(app, { bus, send, presence, book, log, signal });
  addBroadcastRoutes(app, { bus, presence, profiles, known, announcer, book, log });
  addReceiptRoutes(app, { book, signal });
  addDeviceDataRoutes(app, { bus });
  addDeviceToolRoutes(app, { bus, presence, log });
  addMessageRoutes(app, { bus });
  addDialogueRoutes(app, { bus, log, transcripts: config.VOXBUS_MONITOR_TRANSCRIPTS, forget });
  addRegistryRoutes(app, { bus, presence, known, waiting, forget, log });
  addActivationRoutes(app, { bus, waiting, log });
  addGatewayRoutes(app, { bus, presence, log });
  addMeasurementRoutes(app, { measurements, alerting, intervalMs: config.VOXBUS_MONITOR_INTERVAL_MS });
  addProfileRoutes(app, { bus, presence, profiles, log });
  addTrialRoutes(app, { bus, log });
  addServiceRoutes(app, measurements.services);
  addHealthRoute(app, { bus, presence });
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  const overdue = setTimeout(() => server.closeAllConnections(), closeMs);
  await closed;
  clearTimeout(overdue);
}

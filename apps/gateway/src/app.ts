import { hostname } from "node:os";
import { connectBus, createRegistry, watchProfiles } from "@voxbus/bus";
import { listen, type Build, type Program } from "@voxbus/service";
import { ulid } from "ulid";
import { readApology } from "./apology.ts";
import { createAuth } from "./auth.ts";
import { createClock } from "./clock.ts";
import { gatewayConfig } from "./config.ts";
import { createCounters } from "./counters.ts";
import { openDoor } from "./door.ts";
import { createHub, type Hub } from "./hub.ts";
import { observe } from "./metrics.ts";
import { createOta } from "./ota.ts";

/** The gateway as a program. */
export const gateway: Program<typeof gatewayConfig> = { name: "gateway", opsPort: 9100, config: gatewayConfig };

/** Builds the gateway: the bus first, the door last. */
export const buildGateway: Build<typeof gatewayConfig> = async (service) => {
  const { config, log, defer, check } = service;
  const auth = createAuth(config);
  const counters = createCounters();
  const started = Date.now();
  const apologyInEnglish = await readApology(new URL("../assets/apology.en.bin", import.meta.url));

  const bus = await connectBus(config, log, service.signal);
  defer(() => bus.close());
  check("nats", () => bus.connected());
  const profiles = await watchProfiles(bus);
  defer(() => profiles.close());
  const clock = createClock();
  defer(() => clock.close());

  let port = config.VOXBUS_GATEWAY_PORT;
  const ota = createOta({
    config,
    auth,
    port: () => port,
    refused: (device) => log.warn({ device }, "no token for this device: it is not in VOXBUS_OTA_ALLOW"),
  });
  let draining = false;
  let hub: Hub | undefined;
  const door = openDoor({
    config,
    auth,
    ota,
    counters,
    stats: () => ({
      gateway: id,
      uptime: Math.round((Date.now() - started) / 1000),
      connections: hub?.connections() ?? 0,
      speaking: hub?.speaking() ?? 0,
      nats: bus.connected(),
      memory: process.memoryUsage().rss,
      received: counters.received,
      sent: counters.sent,
      turns: { complete: counters.turnsComplete, failed: counters.turnsFailed },
      drops: counters.drops,
      closes: Object.fromEntries(counters.closes),
      refusals: Object.fromEntries(counters.refusals),
    }),
    mayEnter() {
      if (draining) return "draining";
      if (!bus.connected()) return "bus-away";
      return (hub?.connections() ?? 0) >= config.VOXBUS_MAX_CONNECTIONS ? "too-many" : undefined;
    },
    enter: (visitor) => hub?.enter(visitor),
  });
  const address = await listen(door.server, {
    host: config.VOXBUS_GATEWAY_HOST,
    port,
    variable: "VOXBUS_GATEWAY_PORT",
  });
  port = Number(new URL(address).port);
  defer(() => door.close());

  const id =
    config.VOXBUS_GATEWAY_ID ??
    `${hostname()
      .replaceAll(/[^A-Za-z0-9_-]/g, "-")
      .slice(0, 40)}-${port}`;
  const registry = await createRegistry(bus, {
    id,
    epoch: ulid(),
    address,
    load: () => ({ connections: hub?.connections() ?? 0, speaking: hub?.speaking() ?? 0 }),
  });
  defer(() => registry.close());
  const theHub = createHub({
    bus,
    registry,
    clock,
    counters,
    log,
    gateway: id,
    helloTimeoutMs: config.VOXBUS_HELLO_TIMEOUT_MS,
    idleTimeoutMs: config.VOXBUS_IDLE_TIMEOUT_MS,
    profile: (device) => profiles.of(device),
    apology: (language) => (language.startsWith("en") ? apologyInEnglish : undefined),
  });
  hub = theHub;
  observe(service.meter, { counters, hub: theHub, bus });
  defer(async (mode) => {
    draining = true;
    door.close();
    if (mode === "drain") await registry.draining();
    await theHub.stop(mode);
  });

  const ws = (config.VOXBUS_PUBLIC_URL ?? `${address.replace(/^http/, "ws")}/xiaozhi/v1/`).replace(
    "0.0.0.0",
    hostname(),
  );
  return { device: ws, ota: `${address}/xiaozhi/ota/` };
};

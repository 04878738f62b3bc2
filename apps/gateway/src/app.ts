import { hostname } from "node:os";
import { createRegistry } from "@voxbus/presence";
import { defaultPorts } from "@voxbus/protocol";
import { listen } from "@voxbus/service";
import type { Context, Program } from "@voxbus/subscriber";
import { ulid } from "ulid";
import { readApology } from "./playout/apology.ts";
import { createAdmission } from "./http/capacity.ts";
import { createAuth } from "./http/auth.ts";
import { createClock } from "./playout/clock.ts";
import { checkTimes, gatewayConfig } from "./config.ts";
import { createCounters } from "./observe/counters.ts";
import { createDeviceRecords } from "./session/device-records.ts";
import { openDoor } from "./http/server.ts";
import { createHub, type Hub } from "./session/hub.ts";
import { createHeld } from "./limits.ts";
import { countForReport, observe } from "./metrics.ts";
import { createOta } from "./http/ota.ts";
import { createTurnMeter } from "./observe/turn-times.ts";

/** The gateway as a program. */
export const gatewayProgram: Program<typeof gatewayConfig> = {
  name: "gateway",
  opsPort: defaultPorts.gateway.ops,
  config: gatewayConfig,
  checkConfig(config) {
    createAuth(config);
    checkTimes(config);
  },
};

/** Builds the gateway, and gives the addresses that devices use. */
export async function buildGateway(context: Context<typeof gatewayConfig>): Promise<Readonly<Record<string, string>>> {
  const { config, bus, log, meter, defer, check } = context;
  const auth = createAuth(config);
  const counters = createCounters();
  const started = Date.now();
  const apologyInEnglish = await readApology(new URL("../assets/apology.en.bin", import.meta.url));

  const profiles = await context.profiles();
  const clock = createClock();
  defer(() => clock.close());
  const held = createHeld(config.VOXBUS_MAX_HELD_MB * 1_048_576);

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
      held: held.bytes,
      received: counters.received,
      sent: counters.sent,
      turns: { complete: counters.turnsComplete, failed: counters.turnsFailed },
      drops: { ...counters.drops, ...bus.stats().drops },
      closes: Object.fromEntries(counters.closes),
      refusals: Object.fromEntries(counters.refusals),
    }),
    admission: createAdmission({
      maxConnections: config.VOXBUS_MAX_CONNECTIONS,
      maxStrangers: config.VOXBUS_MAX_STRANGERS,
      maxPerAddress: config.VOXBUS_MAX_PER_ADDRESS,
      maxConnectsPerSecond: config.VOXBUS_MAX_CONNECTS_S,
      connections: () => hub?.connections() ?? 0,
      strangers: () => hub?.strangers() ?? 0,
      connected: () => bus.connected(),
      draining: () => draining,
    }),
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
    taken: (device, session) => hub?.taken(device, session),
    log,
  });
  defer(() => registry.close());
  const records = createDeviceRecords(bus, log);
  defer(() => records.close());
  const theHub = createHub({
    bus,
    registry,
    records,
    clock,
    counters,
    turnMeter: createTurnMeter(meter),
    log,
    gateway: id,
    held,
    limits: {
      audioFrames: config.VOXBUS_MAX_AUDIO_FRAMES_S,
      audioBytes: config.VOXBUS_MAX_AUDIO_BYTES_S,
      messages: config.VOXBUS_MAX_MESSAGES_S,
      floodMs: config.VOXBUS_FLOOD_MS,
      slowMs: config.VOXBUS_SLOW_MS,
    },
    times: {
      helloMs: config.VOXBUS_HELLO_TIMEOUT_MS,
      pingMs: config.VOXBUS_PING_MS,
      suspectMs: config.VOXBUS_SUSPECT_MS,
      zombieMs: config.VOXBUS_IDLE_TIMEOUT_MS,
    },
    profile: (device) => profiles.of(device),
    apology: (language) => (language.startsWith("en") ? apologyInEnglish : undefined),
  });
  hub = theHub;
  observe(meter, { counters, hub: theHub, bus, held });
  context.report({ id, ...countForReport({ counters, held, hub: theHub }) });
  check("taking devices", () => !draining);
  context.drain(async (mode) => {
    draining = true;
    if (mode === "drain") {
      log.info({ connections: theHub.connections() }, "draining");
      await registry.draining();
    }
    await theHub.stop(mode);
  });

  const ws = (config.VOXBUS_PUBLIC_URL ?? `${address.replace(/^http/, "ws")}/xiaozhi/v1/`).replace(
    "0.0.0.0",
    hostname(),
  );
  return { device: ws, ota: `${address}/xiaozhi/ota/` };
}

import type { IncomingMessage } from "node:http";
import { hostname } from "node:os";
import { createRegistry, watchGateways, type Registry } from "@voxbus/presence";
import { defaultPorts } from "@voxbus/protocol";
import {
  checkAll,
  createGuesses,
  createLoadGuard,
  createProxies,
  gatewayPlace,
  type Context,
  type Guesses,
  type Program,
} from "@voxbus/subscriber";
import { ulid } from "ulid";
import { openActivation } from "./activation/activation.ts";
import { createAdmission } from "./activation/admission.ts";
import { checkKeys } from "./activation/board-keys.ts";
import { createOwnTokens } from "./activation/own-tokens.ts";
import { checkRules, fillPublicUrl, gatewayConfig, nameGateway, type GatewayConfig } from "./config.ts";
import { checkFolder } from "./firmware/catalog.ts";
import { openFirmware, type UpdateStep } from "./firmware/firmware.ts";
import { createAuth, type Auth } from "./http/auth.ts";
import { readCertificate } from "./http/certificate.ts";
import { urlBeside } from "./http/device-url.ts";
import { createCapacity, measureRoom } from "./http/capacity.ts";
import { chooseGateway } from "./http/gateway-choice.ts";
import { watchKnownDevices, type KnownDevices } from "./http/known-devices.ts";
import { createOta } from "./http/ota.ts";
import { createRefuser } from "./http/refusals.ts";
import { openServer, type HttpHandlers } from "./http/server.ts";
import { createSounds, type Sounds } from "./http/sounds.ts";
import { createUpgrade } from "./http/upgrade.ts";
import { fixedLimits, readLimits, type Limits } from "./limits.ts";
import { createMemoryBudget } from "./memory-budget.ts";
import { createMemoryGuard, type MemoryGuard } from "./memory-guard.ts";
import { countForReport, createStats, observe } from "./metrics.ts";
import { createCounters, type Counters } from "./observe/counters.ts";
import { createTurnMeter } from "./observe/turn-times.ts";
import { openMqttDoor } from "./mqtt/mqtt-door.ts";
import { createTimingWheel } from "./playout/clock.ts";
import { readPhrases } from "./playout/phrases.ts";
import { leavePort, processNumber } from "./processes/process-number.ts";
import { createDeviceRecords } from "./session/device-records.ts";
import type { Handshake } from "./session/handshake.ts";
import { createHub } from "./session/hub.ts";
import type { SessionDeps } from "./session/session-deps.ts";
import { SessionTable } from "./session/session-table.ts";
import { createTurnBudget } from "./session/turn-budget.ts";
import { warmUp } from "./warm-up.ts";

/** The longest wait for NATS at the end, so that a gateway that stops while NATS restarts does not count as lost, ms. */
const farewellMs = { drain: 5000, quick: 500 } as const;
const memoryCheckMs = 1000;
const loopMessages = { over: "event loop delayed, new devices refused", under: "event loop in time again" } as const;
/** The close of a session that lost its device. */
const lossCloses = { replaced: "replaced", removed: "unregistered" } as const;

/** The gateway as a program. */
export const gateway: Program<typeof gatewayConfig> = {
  name: "gateway",
  version: "0.1.0",
  opsPort: defaultPorts.gateway.ops,
  config: gatewayConfig,
  streams: ["DEVICE_IN", "TURNS", "gateways", "presence", "profiles", "devices", "registry", "activations", "probes"],
  checkConfig(config) {
    checkAll(
      () => createAuth(config),
      () => checkRules(config),
      () => checkKeys(config.VOXBUS_ACTIVATION_KEYS),
      () => checkFolder(config.VOXBUS_FIRMWARE_DIR),
      () => readCertificate(config),
      () => readCertificate(config, "VOXBUS_MQTT_TLS"),
    );
  },
};

/** Builds the gateway, and gives the addresses that devices use. */
export async function buildGateway(context: Context<typeof gatewayConfig>): Promise<Readonly<Record<string, string>>> {
  const { config, bus, log, meter, defer, check } = context;
  const counters = createCounters();
  const limits = readLimits(config);
  const memory = createMemoryBudget(limits.bufferedMegabytes * 1_048_576);
  const sessions = new SessionTable();
  const { known, auth } = await openAuth(context, sessions);
  const guard = watchMemory(context, { limits, counters, sessions });
  const overloaded = watchLoop(context, limits.loopDelayMs);
  const profiles = await context.profiles();
  const wheel = createTimingWheel();
  defer(() => wheel.close());

  const refuser = createRefuser(counters, log);
  const proxies = createProxies(config.VOXBUS_TRUSTED_PROXIES);
  const server = await openServer(context, { refuser, proxies, limits });
  leavePort(context, server);
  const { address, port } = server;
  const id = nameGateway(config, port, processNumber());
  const own = fillPublicUrl(config, port);
  const busy = {
    connections: () => sessions.talking(),
    connected: () => bus.connected() && bus.storing(),
    outOfMemory: () => guard.refusing(),
    overloaded,
  };
  const registry = await openRegistry(context, {
    lease: { id, address, url: own.VOXBUS_PUBLIC_URL },
    sessions,
    room: () => measureRoom(limits, busy),
  });
  const records = createDeviceRecords(bus, log, { now: bus.now, tokenMs: config.VOXBUS_AUTH_TTL_S * 1000 });
  defer(() => records.close());

  const sounds = createSounds({ gateway: id, bus, memory });
  defer(() => sounds.close());
  const deps = {
    gateway: id,
    bus,
    registry,
    wheel,
    budgets: { memory, turns: createTurnBudget(limits.turnsPerMinute) },
    limits,
    observe: { counters, turnMeter: createTurnMeter(meter), log },
    settings: {
      profile: (device: string) => profiles.of(device),
      phrase: await readPhrases(),
      keepSound: nameSounds(own, port, sounds),
      mayTalk: () => sessions.talking() < limits.connections,
    },
  };
  const hub = createHub(deps, sessions, records);
  check("accepting devices", () => !hub.draining);
  context.drain((mode) => hub.stop(mode), sessions.left);
  const measured = { bus, counters, memory, sessions, wheel, guard, overloaded };
  observe(meter, measured);
  context.report({ id, ...countForReport({ ...measured, limits }) });

  const capacity = createCapacity(limits, {
    ...busy,
    idle: () => sessions.idle(),
    pending: () => sessions.pending(),
    draining: () => hub.draining,
  });
  const guesses = createGuesses({ burst: fixedLimits.guesses, refillMs: fixedLimits.guessMs });
  const enter = (handshake: Handshake) => hub.enter(handshake);
  await context.warm(async () => warmUp());
  const mqttPort = await openMqttDoor(context, { auth, guesses, proxies, capacity, refuser, counters, limits, enter });
  server.serve({
    upgrade: createUpgrade({ config: own, auth, proxies, guesses, capacity, refuser, enter }),
    ...(await openOta(
      context,
      { config: own, proxies, ports: { own: port, mqtt: mqttPort }, profiles, records },
      { auth, known, guesses },
    )),
    sounds,
    stats: createStats(id, measured),
  });
  return nameAddresses(own, address, mqttPort);
}

/** Watches what the registry says of devices. It decides who may connect, and the sessions of those whom it disables close. */
async function openAuth(
  { config, bus, defer }: Context<typeof gatewayConfig>,
  sessions: SessionTable,
): Promise<{ readonly known: KnownDevices; readonly auth: Auth }> {
  const known = await watchKnownDevices(bus, (device) => sessions.closeAll(device, "disabled"));
  defer(() => known.close());
  return { known, auth: createAuth(config, known) };
}

/** Takes the gateway's lease, and registers its devices. */
async function openRegistry(
  { bus, log, defer, fail }: Context<typeof gatewayConfig>,
  parts: {
    readonly lease: { readonly id: string; readonly address: string; readonly url: string | undefined };
    readonly sessions: SessionTable;
    readonly room: () => number;
  },
): Promise<Registry> {
  const { lease, sessions, room } = parts;
  const registry = await createRegistry(bus, {
    ...lease,
    epoch: ulid(bus.now()),
    load: () => ({ connections: sessions.connections(), speaking: sessions.speaking(), room: room() }),
    taken: (device, session, loss) => sessions.close(device, session, lossCloses[loss]),
    superseded: fail,
    log,
  });
  defer((mode) => registry.close(farewellMs[mode]));
  return registry;
}

/** Makes the function that keeps a sound and gives the URL at which its device finds it. */
function nameSounds(config: GatewayConfig, port: number, sounds: Sounds): SessionDeps["settings"]["keepSound"] {
  const { VOXBUS_PUBLIC_URL: publicUrl } = config;
  const scheme = config.VOXBUS_GATEWAY_TLS_CERT === undefined ? "http" : "https";
  return (packets, local) => {
    const path = sounds.keep(packets);
    return path && urlBeside(publicUrl ?? `${scheme}://${local}:${port}`, path);
  };
}

function nameAddresses(
  config: GatewayConfig,
  address: string,
  mqttPort: number | undefined,
): Readonly<Record<string, string>> {
  const { hostname: host } = new URL(address);
  const device = config.VOXBUS_PUBLIC_URL ?? `${address.replace(/^http/, "ws")}/xiaozhi/v1/`;
  return {
    device: device.replace("0.0.0.0", hostname()),
    ota: `${address}/xiaozhi/ota/`,
    ...(mqttPort !== undefined && { mqtt: `mqtt://${host}:${mqttPort}` }),
  };
}

/** Opens what devices are given when they start: their configuration, and firmware. */
async function openOta(
  { config, bus, log, meter, defer }: Context<typeof gatewayConfig>,
  parts: Omit<Parameters<typeof createOta>[0], "admission" | "firmware" | "choose">,
  guarded: { readonly auth: Auth; readonly known: KnownDevices; readonly guesses: Guesses },
): Promise<Pick<HttpHandlers, "ota" | "firmware">> {
  const report = (device: string, step: UpdateStep) =>
    parts.records.reported(device, { update: { ...step, at: bus.now() } });
  const groupOf = ({ socket, headers }: IncomingMessage) =>
    parts.proxies.clientOf(socket.remoteAddress, headers["x-forwarded-for"]).group;
  const firmware = await openFirmware(config.VOXBUS_FIRMWARE_DIR, { log, meter, groupOf, report });
  defer(() => firmware.close());
  let choose = (): string | undefined => undefined;
  // Otherwise all gateways have one address.
  if (config.VOXBUS_PUBLIC_URL?.includes(gatewayPlace)) {
    const view = await watchGateways(bus);
    defer(() => view.close());
    choose = () => chooseGateway(view.gateways());
  }
  const tokens = createOwnTokens(bus, { known: guarded.known, ttlMs: config.VOXBUS_AUTH_TTL_S * 1000, log });
  const activation = await openActivation({ bus, config, tokens, ...guarded, log });
  defer(() => activation.close());
  const admission = createAdmission({ ...guarded, tokens, activation, proxies: parts.proxies, log });
  return { ota: createOta({ ...parts, admission, firmware, choose }), firmware };
}

/** Watches the memory of the process. Above the threshold, frames kept for replay are dropped. */
function watchMemory(
  { log, defer, check }: Context<typeof gatewayConfig>,
  parts: { readonly limits: Limits; readonly counters: Counters; readonly sessions: SessionTable },
): MemoryGuard {
  const { limits, counters, sessions } = parts;
  const guard = createMemoryGuard({
    thresholdBytes: limits.memoryMegabytes * 1_048_576,
    shed() {
      counters.errors.memory_error += 1;
      for (const { uplink } of sessions.all()) counters.drops.overloaded += uplink.forget();
    },
    log,
  });
  const guarding = setInterval(() => guard.check(), memoryCheckMs);
  defer(() => clearInterval(guarding));
  check("memory", () => !guard.refusing());
  return guard;
}

/** Watches the event loop. The result tells whether it is over the threshold of its delay. */
function watchLoop({ log, defer, check }: Context<typeof gatewayConfig>, loopDelayMs: number): () => boolean {
  const guard = createLoadGuard({ memoryBytes: Infinity, loopDelayMs, log, messages: loopMessages });
  defer(() => guard.close());
  const overloaded = () => guard.over() !== undefined;
  check("event loop", () => !overloaded());
  return overloaded;
}

import { hostname } from "node:os";
import { createRegistry } from "@voxbus/presence";
import { buckets, defaultPorts } from "@voxbus/protocol";
import { createGuesses, createLoadGuard, createProxies, type Context, type Program } from "@voxbus/subscriber";
import { ulid } from "ulid";
import { checkRules, gatewayConfig, nameGateway, type GatewayConfig } from "./config.ts";
import { createAuth } from "./http/auth.ts";
import { createCapacity } from "./http/capacity.ts";
import { createOta } from "./http/ota.ts";
import { createRefuser } from "./http/refusals.ts";
import { openServer } from "./http/server.ts";
import { createUpgrade } from "./http/upgrade.ts";
import { fixedLimits, readLimits } from "./limits.ts";
import { createMemoryBudget } from "./memory-budget.ts";
import { createMemoryGuard } from "./memory-guard.ts";
import { countForReport, createStats, observe } from "./metrics.ts";
import { createCounters } from "./observe/counters.ts";
import { createTurnMeter } from "./observe/turn-times.ts";
import { createTimingWheel } from "./playout/clock.ts";
import { readPhrases } from "./playout/phrases.ts";
import { leavePort, processNumber } from "./processes/process-number.ts";
import { createDeviceRecords } from "./session/device-records.ts";
import type { Handshake } from "./session/handshake.ts";
import { createHub } from "./session/hub.ts";
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
  opsPort: defaultPorts.gateway.ops,
  config: gatewayConfig,
  streams: ["DEVICE_IN", "TURNS", "gateways", "presence", "profiles", "devices", "probes"],
  checkConfig(config) {
    createAuth(config);
    checkRules(config);
  },
};

/** Builds the gateway, and gives the addresses that devices use. */
export async function buildGateway(context: Context<typeof gatewayConfig>): Promise<Readonly<Record<string, string>>> {
  const { config, bus, log, meter, defer, check } = context;
  const phrase = await readPhrases();
  const known = bus.bucket(buckets.devices);
  const auth = createAuth(config, async (device) => (await known.get(device))?.value?.lastSeen);
  const counters = createCounters();
  const limits = readLimits(config);
  const memory = createMemoryBudget(limits.bufferedMegabytes * 1_048_576);
  const sessions = new SessionTable();
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
  const overloaded = watchLoop(context, limits.loopDelayMs);
  const profiles = await context.profiles();
  const wheel = createTimingWheel();
  defer(() => wheel.close());

  const refuser = createRefuser(counters, log);
  const proxies = createProxies(config.VOXBUS_TRUSTED_PROXIES);
  const server = await openServer(config, { refuser, proxies, limits, log });
  leavePort(context, server);
  const { address, port } = server;
  const id = nameGateway(config, port, processNumber());
  const registry = await createRegistry(bus, {
    id,
    epoch: ulid(bus.now()),
    address,
    load: () => ({ connections: sessions.connections(), speaking: sessions.speaking() }),
    taken: (device, session, loss) => sessions.close(device, session, lossCloses[loss]),
    superseded: context.fail,
    log,
  });
  defer((mode) => registry.close(farewellMs[mode]));
  const records = createDeviceRecords(bus, log, { now: bus.now });
  defer(() => records.close());

  const deps = {
    gateway: id,
    bus,
    registry,
    wheel,
    budgets: { memory, turns: createTurnBudget(limits.turnsPerMinute) },
    limits,
    observe: { counters, turnMeter: createTurnMeter(meter), log },
    settings: { profile: (device: string) => profiles.of(device), phrase },
  };
  const hub = createHub(deps, sessions, records);
  check("accepting devices", () => !hub.draining);
  context.drain((mode) => hub.stop(mode));
  const measured = { bus, counters, memory, sessions, wheel, guard, overloaded };
  observe(meter, measured);
  context.report({ id, ...countForReport({ ...measured, maxConnections: limits.connections }) });

  const capacity = createCapacity(limits, {
    connections: () => sessions.connections(),
    pending: () => sessions.pending(),
    connected: () => bus.connected() && bus.storing(),
    draining: () => hub.draining,
    outOfMemory: () => guard.refusing(),
    overloaded,
  });
  const guesses = createGuesses({ burst: fixedLimits.guesses, refillMs: fixedLimits.guessMs });
  const enter = (handshake: Handshake) => hub.enter(handshake);
  await context.warm(async () => warmUp());
  server.serve({
    upgrade: createUpgrade({ config, auth, proxies, guesses, capacity, refuser, enter }),
    ota: createOta({ config, auth, port, log }),
    stats: createStats(id, measured),
  });
  return nameAddresses(config, address);
}

function nameAddresses(config: GatewayConfig, address: string): Readonly<Record<string, string>> {
  const device = config.VOXBUS_PUBLIC_URL ?? `${address.replace(/^http/, "ws")}/xiaozhi/v1/`;
  return { device: device.replace("0.0.0.0", hostname()), ota: `${address}/xiaozhi/ota/` };
}

/** Watches the event loop. The result tells whether it is over the threshold of its delay. */
function watchLoop({ log, defer, check }: Context<typeof gatewayConfig>, loopDelayMs: number): () => boolean {
  const guard = createLoadGuard({ memoryBytes: Infinity, loopDelayMs, log, messages: loopMessages });
  defer(() => guard.close());
  const overloaded = () => guard.over() !== undefined;
  check("event loop", () => !overloaded());
  return overloaded;
}

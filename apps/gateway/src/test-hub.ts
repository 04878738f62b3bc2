import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createNoopMeter } from "@opentelemetry/api";
import type { Bus } from "@voxbus/bus";
import { createRegistry } from "@voxbus/presence";
import { Profile } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { connectTestBus, openTestDevice, silentLog, startNatsServer, type TestDevice } from "@voxbus/testing";
import { WebSocketServer } from "ws";
import { limitTable } from "./limit-table.ts";
import type { Limits } from "./limits.ts";
import { createMemoryBudget, type MemoryBudget } from "./memory-budget.ts";
import { createCounters, type Counters } from "./observe/counters.ts";
import { createTurnMeter } from "./observe/turn-times.ts";
import { createTimingWheel } from "./playout/clock.ts";
import { createDeviceRecords } from "./session/device-records.ts";
import { createHub, type Hub } from "./session/hub.ts";
import { SessionTable } from "./session/session-table.ts";
import { createTurnBudget } from "./session/turn-budget.ts";
import { DeviceSocket } from "./websocket/device-socket.ts";
import { WebSocketTransport } from "./websocket/web-socket-transport.ts";

/** A hub on real sockets and a real nats-server. Tests look into its parts, and let a device's profile fail. */
export interface TestHub {
  readonly bus: Bus;
  readonly hub: Hub;
  readonly counters: Counters;
  readonly memory: MemoryBudget;
  readonly sessions: SessionTable;
  readonly wakeups: () => number;
  /** Own fields of devices' profiles. A function is called instead, and may throw. */
  readonly profiles: Map<string, Partial<Profile> | (() => never)>;
  /** Errors that were logged. */
  readonly logged: readonly { readonly err: unknown; readonly message: string }[];
  connect(device: string): Promise<TestDevice>;
  close(): Promise<void>;
}

/** Opens a hub whose limits are the defaults, or `limits`. */
export async function openTestHub(limits: Partial<Limits> = {}): Promise<TestHub> {
  const nats = await startNatsServer();
  const bus = await connectTestBus(nats.url);
  const logged: { err: unknown; message: string }[] = [];
  const log = Object.create(silentLog, {
    error: { value: ({ err }: { readonly err: unknown }, message: string) => logged.push({ err, message }) },
  }) as Log;
  const sessions = new SessionTable();
  const counters = createCounters();
  const memory = createMemoryBudget(64 * 1_048_576);
  const wheel = createTimingWheel();
  const registry = await createRegistry(bus, {
    id: "test",
    address: "",
    load: () => ({ connections: 0, speaking: 0 }),
  });
  const records = createDeviceRecords(bus, log);
  const profiles: TestHub["profiles"] = new Map();
  const all = Object.fromEntries(Object.entries(limitTable).map(([name, row]) => [name, row.default])) as Limits;
  const deps = {
    gateway: "test",
    bus,
    registry,
    wheel,
    budgets: { memory, turns: createTurnBudget(limits.turnsPerMinute ?? all.turnsPerMinute) },
    limits: { ...all, ...limits },
    observe: { counters, turnMeter: createTurnMeter(createNoopMeter()), log },
    settings: {
      profile(device: string) {
        const own = profiles.get(device);
        return Profile.parse(typeof own === "function" ? own() : (own ?? {}));
      },
      phrase: () => undefined,
      keepSound: () => undefined,
      mayTalk: () => true,
    },
  };
  const hub = createHub(deps, sessions, records);
  const sockets = new WebSocketServer({ noServer: true, WebSocket: DeviceSocket, clientTracking: false });
  const server = createServer().on("upgrade", (request, stream, head) => {
    const device = String(request.headers["device-id"]);
    sockets.handleUpgrade(request, stream, head, (socket) =>
      hub.enter({ transport: new WebSocketTransport(socket, stream, 1), device, remote: "" }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const devices: TestDevice[] = [];
  return {
    bus,
    hub,
    counters,
    memory,
    sessions,
    wakeups: () => wheel.waiting(),
    profiles,
    logged,
    async connect(device) {
      const connected = await openTestDevice(url, { id: device });
      devices.push(connected);
      return connected;
    },
    async close() {
      for (const device of devices) device.vanish();
      await hub.stop("quick");
      server.close();
      server.closeAllConnections();
      await records.close();
      await registry.close();
      wheel.close();
      await bus.close();
      await nats.stop();
    },
  };
}

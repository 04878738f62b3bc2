import type { Bus } from "@voxbus/bus";
import { awaitPresence, watchPresence, type PresenceView } from "@voxbus/presence";
import { channels, type Event, type Inbound, type InControl } from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import {
  connectTestBus,
  leave,
  openTestDevice,
  startNatsServer,
  type NatsServer,
  type TestDevice,
  type TestDeviceOptions,
} from "@voxbus/testing";
import { expect } from "vitest";
import { buildGateway, gateway } from "./app.ts";

const quiet = { VOXBUS_LOG_LEVEL: "fatal", VOXBUS_GATEWAY_PORT: "0", VOXBUS_GATEWAY_OPS_PORT: "0" };

/** Numbers of `GET /ws/stats`. */
interface Stats {
  readonly drops: Readonly<Record<string, number>>;
  readonly closes: Readonly<Record<string, number>>;
  readonly refusals: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly received: Readonly<Record<string, number>>;
  readonly nats: boolean;
  readonly missingAudio: number;
  readonly connections: number;
  /** Bytes in the memory budget, frames that wait for NATS, and calls of sessions that are due later. */
  readonly buffered: number;
  readonly waiting: number;
  readonly wakeups: number;
}

/** Gateways on a nats-server of their own, and a program on the bus that watches them. */
export interface TestGateways {
  readonly nats: NatsServer;
  readonly bus: Bus;
  readonly view: PresenceView;
  start(env?: Readonly<Record<string, string>>): Promise<Running>;
  /** Connects a device. It leaves with `leaveAll`. */
  open(to: Running, options: TestDeviceOptions): Promise<TestDevice>;
  /** Connects a device, and waits until frames of the bus reach it. It leaves with `leaveAll`. */
  connect(to: Running, options: TestDeviceOptions): Promise<TestDevice>;
  leaveAll(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a nats-server, and nothing else yet. */
export async function openTestGateways(): Promise<TestGateways> {
  const nats = await startNatsServer();
  const bus = await connectTestBus(nats.url);
  const view = await watchPresence(bus);
  const running: Running[] = [];
  const devices: TestDevice[] = [];
  const leaveAll = async () => void (await Promise.all(devices.splice(0).map(leave)));
  const open = async (to: Running, options: TestDeviceOptions) => {
    const device = await openTestDevice(addressOf(to), options);
    devices.push(device);
    return device;
  };
  return {
    nats,
    bus,
    view,
    async start(env = {}) {
      const started = await startSubscriber(gateway, buildGateway, {
        ...quiet,
        VOXBUS_NATS_URL: nats.url,
        ...env,
      });
      running.push(started);
      return started;
    },
    open,
    async connect(to, options) {
      const device = await open(to, options);
      const { id, hello } = options;
      if (id === undefined || hello === false || !device.open || !(await readStats(to)).nats) return device;
      // A device's presence is written after its subscription, over the same connection.
      const { signal } = new AbortController();
      await awaitPresence(view, { device: id, session: device.session, timeoutMs: 2000 }, signal);
      return device;
    },
    leaveAll,
    async stop() {
      await leaveAll();
      view.close();
      await Promise.all(running.map((service) => service.stop("quick")));
      await bus.close();
      await nats.stop();
    },
  };
}

/** Gives the address for devices. */
export function addressOf(service: Running): string {
  return service.addresses["device"] ?? "";
}

/** Reads a gateway's numbers. */
export async function readStats(service: Running): Promise<Stats> {
  const response = await fetch(new URL("/ws/stats", addressOf(service).replace("ws", "http")));
  return (await response.json()) as Stats;
}

/** Waits until a gateway knows that NATS is away. */
export async function untilAway(service: Running): Promise<void> {
  await expect.poll(async () => (await readStats(service)).nats, { timeout: 5000 }).toBe(false);
}

/** Collects messages, and waits for those that match. */
export interface Watch<T> {
  readonly all: readonly T[];
  /** Resolves when `find` finds something among the messages so far. */
  until<R>(find: (all: readonly T[]) => R | undefined): Promise<R>;
}

function createWatch<T>(): { readonly watch: Watch<T>; readonly add: (item: T) => void } {
  const all: T[] = [];
  let arrived: () => void = () => undefined;
  const until = async <R>(find: (all: readonly T[]) => R | undefined): Promise<R> => {
    for (;;) {
      const found = find(all);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => (arrived = resolve));
    }
  };
  return {
    watch: { all, until },
    add(item) {
      all.push(item);
      arrived();
    },
  };
}

/** Watches the frames that a device's sessions publish, from when it resolves. */
export async function watchInbound(bus: Bus, device: string): Promise<Watch<Inbound>> {
  const { watch, add } = createWatch<Inbound>();
  bus.subscribe(channels.inbound(device), add);
  await bus.flush();
  return watch;
}

/** Watches the events of a device's sessions, from when it resolves. */
export async function watchEvents(bus: Bus, device: string): Promise<Watch<Event>> {
  const { watch, add } = createWatch<Event>();
  bus.subscribe(channels.event(device), add);
  await bus.flush();
  return watch;
}

/** Waits for a control frame of a type. */
export function untilControl(watch: Watch<Inbound>, type: InControl["type"]): Promise<Inbound> {
  return watch.until((all) => all.find(({ kind, body }) => kind === "control" && body.type === type));
}

/** Matches a `tts` message by its state. */
export function isTts(state: string): (message: Readonly<Record<string, unknown>>) => boolean {
  return (message) => message["type"] === "tts" && message["state"] === state;
}

import type { Bus } from "@voxbus/bus";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import { channels, type PoolStats, type PoolWork, type Stats } from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import { buildMonitor, monitor } from "./app.ts";

/** A monitor in this process with its own nats-server, and a bus to play the other programs on. */
export interface TestMonitor {
  readonly nats: NatsServer;
  readonly bus: Bus;
  readonly url: string;
  readonly running: Running;
  ask(
    method: string,
    path: string,
    body?: object,
    token?: string,
  ): Promise<{ status: number; body: Record<string, any> }>;
  /** Another monitor on the same bus. */
  another(env?: Readonly<Record<string, string>>): Promise<Running>;
  stop(): Promise<void>;
}

/** The environment of a monitor that measures often and takes over soon. */
export const hurried = {
  VOXBUS_LOG_LEVEL: "fatal",
  VOXBUS_MONITOR_PORT: "0",
  VOXBUS_MONITOR_OPS_PORT: "0",
  VOXBUS_MONITOR_INTERVAL_MS: "100",
  VOXBUS_MONITOR_CALLS_PER_MINUTE: "0",
  // On a busy machine the process of a test is late itself.
  VOXBUS_MONITOR_MAX_LOOP_DELAY_MS: "60000",
  VOXBUS_MONITOR_LEASE_MS: "600",
};

/** Starts a monitor. `config` is added to the settings of nats-server. */
export async function startTestMonitor(env: Readonly<Record<string, string>> = {}, config = ""): Promise<TestMonitor> {
  const nats = await startNatsServer({ config });
  const bus = await connectTestBus(nats.url);
  const another = (more: Readonly<Record<string, string>> = {}) =>
    startSubscriber(monitor, buildMonitor, { VOXBUS_NATS_URL: nats.url, ...hurried, ...env, ...more });
  const running = await another();
  const url = running.addresses["monitor"]!.replace(/\/$/, "");
  return {
    nats,
    bus,
    url,
    running,
    another,
    async ask(method, path, body, token) {
      const headers = {
        ...(body && { "content-type": "application/json" }),
        ...(token && { authorization: `Bearer ${token}` }),
      };
      const response = await fetch(url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
      return { status: response.status, body: (await response.json()) as Record<string, any> };
    },
    async stop() {
      await running.stop("quick");
      await bus.close();
      await nats.stop();
    },
  };
}

/** A gateway's report of itself. `more` overrides its fields. */
export function makeStats(id: string, more: Partial<Stats> = {}): Stats {
  return {
    program: "gateway",
    instance: `i-${id}`,
    id,
    state: "running",
    host: "hall",
    pid: 1,
    at: Date.now(),
    uptime: 1000,
    rss: 1e8,
    heap: 5e7,
    cpu: 0.1,
    cores: 1,
    loopDelay: 1,
    gauges: { connections: 0, speaking: 0 },
    totals: {},
    drops: {},
    ...more,
  };
}

/** A pool's report of itself, with the work of one priority. `more` overrides its numbers. */
export function makePool(name: string, busy: number, more: Partial<PoolWork> = {}): PoolStats {
  const times = { mean: 0, p50: 0, p95: 0, p99: 0 };
  const ended = { done: 0, failed: 0, timedOut: 0, shed: 0 };
  const counts = { submitted: 0, running: 0, peak: 0, waiting: 0, waited: 0, ...ended };
  return {
    name,
    slots: 10,
    busy,
    work: [{ priority: "high", ...counts, waitMs: times, workMs: times, ...more }],
  };
}

/** Publishes reports of programs every 50 ms. `say` may give other reports each time. */
export function speakAs(bus: Bus, say: () => readonly Stats[]): { close(): void } {
  const tell = () => {
    if (bus.connected()) for (const stats of say()) bus.publish(channels.stats(stats.program), stats);
  };
  tell();
  const timer = setInterval(tell, 50);
  return { close: () => clearInterval(timer) };
}

import type { NatsServer } from "@voxbus/testing";
import { measureBroadcast, tabulateBroadcast } from "./broadcast.ts";
import { measureBus } from "./bus.ts";
import { measureEcho } from "./echo.ts";
import { measureFirstPackets } from "./first-packets.ts";
import { tabulateBus, tabulateEcho, tabulateFirstPackets, tabulatePacing, tabulatePaths } from "./frame-tables.ts";
import { tabulateDevices, tabulateGateways, tabulateWorkers, type WorkersRow } from "./growth-tables.ts";
import { measureDevices, measureGateways } from "./growth.ts";
import { measureIdle } from "./idle.ts";
import { measureIsolation, tabulateIsolation } from "./isolation.ts";
import { tabulateIdle, tabulateRest } from "./memory-tables.ts";
import type { BenchOptions, PartName } from "./options.ts";
import { measurePacing } from "./pacing.ts";
import { measurePaths } from "./paths.ts";
import { measurePresence, tabulatePresence } from "./presence.ts";
import { measureReach, tabulateReach } from "./reach.ts";
import { measureReconnect, tabulateReconnect } from "./reconnect.ts";
import { measureRest } from "./rest.ts";
import type { Table } from "./section.ts";
import { tabulateTransports } from "./transport-tables.ts";
import { measureTransports } from "./transports.ts";
import { tabulateTurns } from "./turn-tables.ts";
import { measureTurns, type TurnRow } from "./turns.ts";

/** The surroundings of a part. */
export interface PartBench {
  readonly options: BenchOptions;
  /** A nats-server of its own. */
  readonly nats: NatsServer;
  /** The first number of an option. */
  size(name: keyof BenchOptions["sizes"]): number;
  progress(text: string): void;
  /** Prints tables, and keeps them for the document. What was shown stays if the part fails later. */
  show(tables: readonly Table[]): void;
  /** Keeps numbers for --json. */
  keep(name: string, rows: unknown): void;
}

/** The measurement of each part. */
export const measures: Readonly<Record<PartName, (bench: PartBench) => Promise<void>>> = {
  async a({ options, nats, size, progress, show, keep }) {
    const all = [];
    for (const connections of options.sizes.connections) {
      const slices = { seconds: size("seconds"), repeat: size("repeat") };
      const fetch = !options.quick;
      const { rows, problem } = await measureEcho({ nats, connections, ...slices, fetch, progress });
      all.push(...rows);
      show(tabulateEcho(rows, problem));
    }
    keep("echo", all);
  },
  async b({ nats, size, progress, show, keep }) {
    const sizes = { connections: size("idle"), seconds: size("seconds") };
    const idle = await measureIdle({ natsUrl: nats.url, ...sizes, progress });
    keep("idle", idle);
    show(tabulateIdle(idle));
    const rest = await measureRest({ settleMs: size("seconds") * 3000, progress });
    keep("rest", rest);
    show(tabulateRest(rest));
  },
  async c({ options, size, progress, show, keep }) {
    const all: TurnRow[] = [];
    keep("turns", all);
    for (const engines of options.engines) {
      const rows: TurnRow[] = [];
      const baseline = await measureTurns({
        engines,
        devices: options.sizes[engines === "instant" ? "talking" : "talking-embedded"],
        seconds: size("talk-seconds"),
        warmUp: { devices: 20, seconds: size("warm-up-seconds") },
        progress,
        onRow: (row) => {
          all.push(row);
          rows.push(row);
        },
      }).catch((error: unknown) => {
        // The rows before are worth showing.
        show(tabulateTurns(rows, undefined));
        throw error;
      });
      show(tabulateTurns(rows, baseline));
    }
  },
  async d({ nats, size, progress, show, keep }) {
    const rows = await measureReconnect({
      nats,
      devices: size("reconnecting"),
      seconds: size("seconds") * 3,
      progress,
    });
    keep("reconnect", rows);
    show(tabulateReconnect(rows));
  },
  async e({ nats, size, progress, show, keep }) {
    const rows = await measureBroadcast({ natsUrl: nats.url, devices: size("fleet"), progress });
    keep("broadcast", rows);
    show(tabulateBroadcast(rows));
  },
  async f({ options, size, progress, show, keep }) {
    const { growing, processes } = options.sizes;
    const seconds = size("seconds");
    const devices = await measureDevices({ counts: growing, seconds, progress });
    keep("growth", devices);
    show(tabulateDevices(devices));
    const gateways = await measureGateways({ counts: processes, connections: growing[1] ?? 1000, seconds, progress });
    keep("gateways", gateways);
    show(tabulateGateways(gateways));
    const workers: WorkersRow[] = [];
    keep("workers", workers);
    for (const count of new Set([processes[0]!, processes.at(-1)!])) {
      await measureTurns({
        engines: "instant",
        devices: [size("growing-talking")],
        seconds: size("talk-seconds") / 2,
        warmUp: { devices: 20, seconds: size("warm-up-seconds") / 3 },
        counts: { asr: count, dialogue: count, tts: count },
        progress,
        onRow: (turns) => void workers.push({ workers: count, turns }),
      });
    }
    show(tabulateWorkers(workers));
  },
  async g({ options, progress, show, keep }) {
    const { rows, skipped } = await measurePresence({ devices: options.sizes.presence, progress });
    keep("presence", rows);
    show(tabulatePresence(rows, skipped));
  },
  async h({ show, keep }) {
    const paths = await measurePaths();
    keep("paths", paths);
    show(tabulatePaths(paths));
  },
  async bus({ nats, size, progress, show, keep }) {
    const sizes = { seconds: size("seconds"), repeat: size("repeat"), utterances: size("utterances") };
    const bus = await measureBus({ nats, ...sizes, progress });
    keep("bus", bus);
    show(tabulateBus(bus));
  },
  async "opus-out"({ size, progress, show, keep }) {
    const rows = await measureFirstPackets({ replies: size("replies"), repeat: size("repeat"), progress });
    keep("firstPackets", rows);
    show(tabulateFirstPackets(rows));
  },
  async "play-out"({ nats, size, progress, show, keep }) {
    const pacing = await measurePacing({ nats, devices: size("speaking"), repeat: size("repeat"), progress });
    keep("pacing", pacing);
    show(tabulatePacing(pacing));
  },
  async transports({ nats, size, progress, show, keep }) {
    const slices = { seconds: size("seconds"), repeat: size("repeat") };
    const sizes = { devices: size("reached"), talking: size("reached-talking"), turns: size("reached-turns") };
    const rows = await measureTransports({ nats, ...slices, ...sizes, progress });
    keep("transports", rows);
    show(tabulateTransports(rows, sizes.devices));
  },
  async reach({ nats, size, progress, show, keep }) {
    const rows = await measureReach({ nats, times: size("reached-turns"), progress });
    keep("reach", rows);
    show(tabulateReach(rows));
  },
  async isolation({ size, progress, show, keep }) {
    const devices = size("isolation-talking");
    const isolation = await measureIsolation({
      devices,
      spanSeconds: size("isolation-seconds"),
      repeat: size("isolation-repeat"),
      warmUp: { devices: 20, seconds: size("warm-up-seconds") },
      progress,
    });
    keep("isolation", isolation);
    show(tabulateIsolation(isolation, devices));
  },
};

import type { PresenceView } from "@voxbus/presence";
import type { Presence } from "@voxbus/protocol";
import type { Bus, Closer, On } from "@voxbus/subscriber";
import type {
  DevicesChange,
  DeviceView,
  GatewayDoor,
  LiveEvents,
  LiveSources,
  Numbers,
  Point,
  ProgramNumbers,
} from "./live.ts";
import type { Turns } from "../turns/turns.ts";
import { watchDevice } from "./watch-device.ts";

/** How often changes of presence are told, ms. */
const changesMs = 500;
/** How often the numbers are told, and kept for the charts, ms. */
const numbersMs = 3000;
/** Half an hour of points. */
const maxPoints = 600;
const snapshotPart = 500;

/** Takes one event of a stream. */
export type Tell = <N extends keyof LiveEvents>(name: N, data: LiveEvents[N]) => void;

/** Streams of what happens now, until they are closed. */
export interface Live extends Closer {
  /** The whole fleet: its devices, and the numbers. */
  fleet(tell: Tell): Closer;
  /** One device, online or not. */
  device(id: string, tell: Tell): Closer;
  /** The numbers as they are now. */
  numbers(): Numbers;
}

/** Creates the streams. */
export function createLive(parts: {
  readonly bus: Bus;
  readonly on: On;
  readonly presence: PresenceView;
  readonly turns: Turns;
  readonly sources: LiveSources;
  readonly transcripts: boolean;
  readonly traces: string | undefined;
  readonly assistant: string;
  /** The device WebSocket where the operator named it. */
  readonly publicUrl: string | undefined;
}): Live {
  const { bus, on, presence, turns, sources } = parts;
  const viewers = new Set<Tell>();
  const shown = new Map<string, { readonly presence: Presence; readonly view: DeviceView }>();
  const history: Point[] = [];
  const rtts = new Map<string, number>();
  const events = on.event(({ state, rtt }, { device }) => {
    if (state === "closed") rtts.delete(device);
    else if (rtt !== undefined) rtts.set(device, rtt);
  });

  const view = (id: string, { gateway, session, since, state, remote }: Presence): DeviceView => {
    const last = turns.last(id);
    return { id, gateway, session, since, state, remote, rtt: rtts.get(id), ...(last ? { last } : {}) };
  };

  const findChanges = (): DevicesChange => {
    const put: DeviceView[] = [];
    const seen = new Set<string>();
    for (const [id, found] of presence.devices()) {
      seen.add(id);
      const known = shown.get(id);
      if (known?.presence === found && known.view.last === turns.last(id) && known.view.rtt === rtts.get(id)) continue;
      const entry = { presence: found, view: view(id, found) };
      shown.set(id, entry);
      put.push(entry.view);
    }
    const gone = [...shown.keys()].filter((id) => !seen.has(id));
    for (const id of gone) {
      shown.delete(id);
      rtts.delete(id);
    }
    return { put, gone };
  };

  const tellAll: Tell = (name, data) => {
    for (const tell of viewers) tell(name, data);
  };

  const tellChanges = () => {
    if (viewers.size === 0) return;
    const changes = findChanges();
    if (changes.put.length > 0 || changes.gone.length > 0) tellAll("devices", changes);
  };

  const doors = (): readonly GatewayDoor[] =>
    presence
      .gateways()
      .filter(({ draining }) => !draining)
      .map(({ id, address }) => ({ gateway: id, address, ...(parts.publicUrl ? { url: parts.publicUrl } : {}) }));

  const hello = () => ({
    transcripts: parts.transcripts,
    traces: parts.traces,
    doors: doors(),
    assistant: parts.assistant,
  });

  const programs = (): readonly ProgramNumbers[] => {
    const told = sources.programs?.() ?? [];
    const better = new Set(told.filter(({ name }) => name === "gateway").map(({ id }) => id));
    const leased = presence
      .gateways()
      .filter(({ id }) => !better.has(id))
      .map(({ id, draining, since, load }): ProgramNumbers => ({
        name: "gateway",
        id,
        health: draining ? "draining" : "ok",
        since,
        connections: load.connections,
        speaking: load.speaking,
      }));
    return [...leased, ...told];
  };

  const numbers = (): Numbers => {
    const now = Date.now();
    const states: Record<string, number> = {};
    let online = 0;
    for (const [, { state }] of presence.devices()) {
      online += 1;
      states[state] = (states[state] ?? 0) + 1;
    }
    return {
      at: now,
      bus: { connected: bus.connected(), rtt: bus.stats().rtt },
      online,
      states,
      rates: turns.rates(now),
      latencies: turns.latencies(now),
      programs: programs(),
      queues: sources.queues?.() ?? [],
      alerts: sources.alerts?.() ?? [],
    };
  };

  let openDoors = "";
  const tellNumbers = () => {
    const current = numbers();
    const { at, online, rates, latencies } = current;
    history.push({ at, online, rates, latencies });
    if (history.length > maxPoints) history.shift();
    const said = hello();
    const named = said.doors.map(({ gateway, address }) => `${gateway} ${address}`).join();
    if (named !== openDoors) tellAll("hello", said);
    openDoors = named;
    tellAll("numbers", current);
  };

  const timers = [setInterval(tellChanges, changesMs), setInterval(tellNumbers, numbersMs)];

  return {
    numbers,
    fleet(tell) {
      tell("hello", hello());
      tell("history", history);
      tell("numbers", numbers());
      const changes = findChanges();
      if (changes.put.length > 0 || changes.gone.length > 0) tellAll("devices", changes);
      const all = [...shown.values()].map(({ view }) => view);
      for (let from = 0; from === 0 || from < all.length; from += snapshotPart) {
        tell("devices", { reset: from === 0, put: all.slice(from, from + snapshotPart), gone: [] });
      }
      viewers.add(tell);
      return { close: () => void viewers.delete(tell) };
    },
    device(id, tell) {
      let told: Presence | undefined;
      let last: unknown;
      const tellDevice = (always: boolean) => {
        const found = presence.online(id);
        if (!always && found === told && turns.last(id) === last) return;
        [told, last] = [found, turns.last(id)];
        tell("device", { id, ...(found ? { device: view(id, found) } : {}) });
      };
      tell("hello", hello());
      tellDevice(true);
      for (const turn of turns.recent(id)) tell("turn", turn);
      const watching = watchDevice({ bus, on, turns }, id, {
        turn: (turn) => tell("turn", turn),
        activity: (activity) => tell("activity", activity),
      });
      const timer = setInterval(() => tellDevice(false), changesMs);
      return {
        close() {
          clearInterval(timer);
          watching.close();
        },
      };
    },
    close() {
      events.close();
      for (const timer of timers) clearInterval(timer);
    },
  };
}

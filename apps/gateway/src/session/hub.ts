import { setTimeout as delay } from "node:timers/promises";
import { BusAwayError, type Bus, type Closer } from "@voxbus/bus";
import type { Registry } from "@voxbus/presence";
import {
  channels,
  type Event,
  type Outbound,
  type Presence,
  type Profile,
  type ReplayAnswer,
  type ReplayRequest,
} from "@voxbus/protocol";
import type { Log, StopMode } from "@voxbus/service";
import { ulid } from "ulid";
import type { Clock } from "../playout/clock.ts";
import type { Counters } from "../observe/counters.ts";
import type { DeviceRecords } from "./device-records.ts";
import type { Visitor } from "../http/server.ts";
import type { LifeTimes } from "./heartbeat.ts";
import type { LifeState } from "./state.ts";
import type { Held, SessionLimits } from "../limits.ts";
import { Session } from "./session.ts";
import type { TurnMeter } from "../observe/turn-times.ts";
import type { TraceHeaders } from "../observe/turn-traces.ts";

/** How long sessions that speak may go on while the gateway drains, ms. */
export const drainMs = 20_000;
/** Devices that are sent away come back, to another gateway: so far apart each, ms, as long as that takes at most `spreadMs`. */
const paceMs = 50;
const spreadMs = 10_000;
/** The same for those that still speak when `drainMs` are over, ms. */
const restMs = 2000;
const drainStepMs = 25;

/** All sessions of one gateway: device → session and session → device; the newest session of a device wins. */
export interface Hub {
  /** Takes a device whose upgrade was let through. */
  enter(visitor: Visitor): void;
  /** Connections, with those that have not said hello yet. */
  connections(): number;
  /** Connections that have not said hello yet. */
  strangers(): number;
  speaking(): number;
  /** Frames of devices that wait for NATS. */
  waiting(): number;
  /** Connections by the state of their life. */
  states(): ReadonlyMap<LifeState, number>;
  /** A newer session of the device was found elsewhere: ours ends. */
  taken(device: string, session: string): void;
  /** Ends all sessions: `drain` lets what is being said finish, `quick` says `tts/stop` and closes. */
  stop(mode: StopMode): Promise<void>;
}

/** Creates the hub and answers for it on the bus: frames for devices, commands, replays. */
export function createHub(options: {
  readonly bus: Bus;
  readonly registry: Registry;
  readonly records: DeviceRecords;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly turnMeter: TurnMeter;
  readonly log: Log;
  readonly gateway: string;
  readonly held: Held;
  readonly limits: SessionLimits;
  readonly times: LifeTimes;
  readonly profile: (device: string) => Profile;
  readonly apology: (language: string) => readonly Uint8Array[] | undefined;
}): Hub {
  const { bus, registry, records, clock, counters, log, gateway } = options;
  const sessions = new Map<string, Session>();
  const devices = new Map<string, { session: Session; readonly out: Closer }>();

  const announce = (session: Session, fields: Partial<Event>) => {
    const { rtt } = session.life;
    const known = { session: session.id, at: Date.now(), gateway, rtt: rtt && Math.round(rtt * 10) / 10 };
    try {
      bus.publish(channels.event(session.device), { ...known, ...fields });
    } catch (error) {
      if (!(error instanceof BusAwayError)) throw error;
      counters.drops["bus-away"] += 1;
    }
  };

  const register = async (session: Session) => {
    const { device, id, since, remote, framing: protocol, features } = session;
    const left = new AbortController();
    leaving.set(id, left);
    const presence = { session: id, since, remote, protocol, features, state: "active" as const };
    const { previous } = await registry.enter(device, presence, left.signal).finally(() => leaving.delete(id));
    if (session.ended) return registry.leave(device, id);
    records.opened(device, id, previous);
    if (previous && previous.gateway !== gateway) replaceElsewhere(device, previous);
  };
  const leaving = new Map<string, AbortController>();

  const replaceElsewhere = (device: string, previous: Presence) => {
    bus.publish(channels.command(previous.gateway), {
      body: { type: "disconnect", device, session: previous.session, reason: "replaced" },
    });
  };

  const opened = (session: Session) => {
    const { device } = session;
    const known = devices.get(device);
    if (known) {
      const replaced = known.session;
      known.session = session;
      replaced.close("replaced");
    } else {
      const out = bus.subscribe(channels.out(device), (frame, { trace }) =>
        devices.get(device)?.session.deliver(frame, trace),
      );
      devices.set(device, { session, out });
    }
    log.info({ device, session: session.id, remote: session.remote, protocol: session.framing }, "device connected");
    register(session).catch((error: unknown) => {
      if (!session.ended) log.warn({ err: error, device, session: session.id }, "presence could not be written");
    });
  };

  const closed = (session: Session, reason: string, code: number) => {
    const { device, id } = session;
    sessions.delete(id);
    leaving.get(id)?.abort();
    leaving.delete(id);
    if (!session.open) return;
    records.ended(device, id, session.since, reason);
    announce(session, { state: "closed", reason, code });
    log.info(
      { device, session: id, reason, code, seconds: Math.round((Date.now() - session.since) / 1000) },
      "device disconnected",
    );
    const known = devices.get(device);
    if (known?.session !== session) return;
    devices.delete(device);
    known.out.close();
    registry
      .leave(device, id)
      .catch((error: unknown) => log.warn({ err: error, device }, "presence could not be removed"));
  };

  const context = {
    bus,
    clock,
    counters,
    turnMeter: options.turnMeter,
    gateway,
    held: options.held,
    limits: options.limits,
    times: options.times,
    profile: options.profile,
    apology: options.apology,
    opened,
    closed,
    turnEnded: (session: Session, turn: Event["turn"]) => announce(session, { turn }),
    changed(session: Session, state: LifeState) {
      if (!isShown(state)) return;
      announce(session, { state });
      registry.update(session.device, session.id, state);
    },
  };

  const deliverAll = (frame: Outbound, trace: TraceHeaders, group?: string) => {
    for (const [device, { session }] of devices) {
      if (group === undefined || options.profile(device).group === group) session.deliver(frame, trace);
    }
  };
  const replay = (request: ReplayRequest): ReplayAnswer => {
    const session = sessions.get(request.session);
    const newest = session?.uplink.seq ?? 0;
    const frames = session?.uplink.replay(request.from, request.to ?? newest) ?? [];
    return { session: request.session, open: session !== undefined && !session.ended, newest, frames };
  };
  const closers = [
    bus.subscribe(channels.fleetOut(), (frame, { trace }) => deliverAll(frame, trace)),
    bus.subscribe(channels.groupOut("*"), (frame, { subject, trace }) =>
      deliverAll(frame, trace, subject.split(".")[1]),
    ),
    bus.respond(channels.replay(gateway), replay),
    bus.subscribe(channels.command(gateway), ({ body }) => {
      if (body.type === "drain") process.kill(process.pid, "SIGTERM");
      else {
        const session = devices.get(body.device)?.session;
        const meant = body.session === undefined || body.session === session?.id;
        if (meant) session?.close(body.reason === "replaced" ? "replaced" : "disconnected");
      }
    }),
    bus.onChange((connected) => {
      log.warn({ connected }, connected ? "NATS is back" : "NATS is away");
      if (connected) for (const session of sessions.values()) session.uplink.resume();
    }),
  ];

  const sweep = setInterval(() => {
    const wall = Date.now();
    for (const session of sessions.values()) {
      session.uplink.prune(wall);
      if (session.uplink.away && bus.connected()) session.uplink.resume();
      if (session.open) session.endSilence();
    }
  }, 1000);

  /** Closes silent sessions, each at a moment of its own; those that speak when they have finished, or their time is up. */
  const drainSessions = async () => {
    const began = clock.now();
    const pace = sessions.size * paceMs;
    const shares = new Map([...sessions.keys()].map((id) => [id, Math.random()]));
    for (const session of sessions.values()) {
      const { state } = session.life;
      if (isShown(state)) announce(session, { state, reason: "draining" });
    }
    for (;;) {
      const spent = clock.now() - began;
      for (const session of sessions.values()) {
        const share = shares.get(session.id) ?? 0;
        const at = session.speech.busy ? drainMs + share * Math.min(restMs, pace) : share * Math.min(spreadMs, pace);
        if (spent >= at) session.close("restart");
      }
      if (sessions.size === 0) return;
      await delay(drainStepMs);
    }
  };

  return {
    enter(visitor) {
      const session = new Session(context, visitor, ulid());
      sessions.set(session.id, session);
      counters.connects += 1;
    },
    connections: () => sessions.size,
    strangers: () => sessions.size - devices.size,
    speaking: () => [...devices.values()].filter(({ session }) => session.speech.speaking).length,
    waiting: () => [...sessions.values()].reduce((sum, { uplink }) => sum + uplink.waiting, 0),
    states() {
      const states = new Map<LifeState, number>();
      for (const { life } of sessions.values()) states.set(life.state, (states.get(life.state) ?? 0) + 1);
      return states;
    },
    taken(device, session) {
      if (devices.get(device)?.session.id === session) devices.get(device)?.session.close("replaced");
    },
    async stop(mode) {
      const all = () => [...sessions.values()];
      if (mode === "drain") await drainSessions();
      for (const session of all()) session.close("restart");
      clearInterval(sweep);
      for (const closer of closers) closer.close();
      // Close frames and `tts/stop` need a moment on their way.
      await delay(50);
    },
  };
}

/** States that presence and events show. */
function isShown(state: LifeState): state is Presence["state"] & LifeState {
  return state === "active" || state === "idle" || state === "suspicious";
}

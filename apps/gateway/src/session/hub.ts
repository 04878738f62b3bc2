import { setTimeout as delay } from "node:timers/promises";
import type { Arrival, Closer } from "@voxbus/bus";
import {
  channels,
  fitsDevice,
  groupsOf,
  type Command,
  type Outbound,
  type ReplayAnswer,
  type ReplayRequest,
} from "@voxbus/protocol";
import type { StopMode } from "@voxbus/subscriber";
import { ulid } from "ulid";
import { refusedFrames } from "../observe/refused-frames.ts";
import type { DeviceRecords } from "./device-records.ts";
import { drainSessions } from "./drain.ts";
import type { SessionEnd } from "./ending.ts";
import type { Handshake } from "./handshake.ts";
import { createRegistration } from "./registration.ts";
import { Session, type SessionOwner } from "./session.ts";
import type { SessionDeps } from "./session-deps.ts";
import type { SessionTable } from "./session-table.ts";

const sweepMs = 1000;
/** Close frames and `tts` `stop` need a moment on their way, ms. */
const flushMs = 50;

/** Runs all sessions of one gateway. The newest session of a device wins. */
export interface Hub {
  /** Takes a device whose connection was accepted. */
  enter(handshake: Handshake): void;
  /** True from the beginning of the stop. */
  readonly draining: boolean;
  /** Ends all sessions. `drain` lets replies finish; `quick` says `tts` `stop` and closes. */
  stop(mode: StopMode): Promise<void>;
}

/** Creates the hub, and answers for it on the bus: frames for devices, commands, replays. */
export function createHub(deps: SessionDeps, sessions: SessionTable, records: DeviceRecords): Hub {
  const { bus, registry, wheel, gateway, observe } = deps;
  const { counters, log } = observe;
  const registration = createRegistration({ bus, registry, records, gateway, log });
  /** Subscriptions to the frames of each device. They outlive a takeover on this gateway, so that no frame is missed. */
  const subscriptions = new Map<string, Closer>();
  let draining = false;

  const deliver = (frame: Outbound, { device, trace }: Pick<Arrival, "device" | "trace">) =>
    sessions.holderOf(device)?.deliver(frame, trace);
  const open = (session: Session) => {
    const { device, id, remote, framing } = session;
    sessions.hold(session)?.close("replaced");
    if (!subscriptions.has(device)) subscriptions.set(device, bus.subscribe(channels.out(device), deliver));
    log.info({ device, session: id, remote, protocol: framing }, "device connected");
    registration.opened(session);
    session.activate();
  };

  const close = (session: Session, { reason, code }: SessionEnd) => {
    const { device, id } = session;
    const wasHolder = sessions.letGo(session);
    if (wasHolder) {
      subscriptions.get(device)?.close();
      subscriptions.delete(device);
    }
    registration.ended(session, reason, wasHolder);
    session.contain(() => session.events.publish({ state: "closed", reason, code }));
    const seconds = Math.round((bus.now() - session.since) / 1000);
    log.info({ device, session: id, reason, code, seconds }, "device disconnected");
  };

  const owner: SessionOwner = {
    opened: open,
    ended(session, end) {
      sessions.remove(session);
      session.end(end);
      if (session.isOpen) session.contain(() => close(session, end));
      session.release();
    },
    channelChanged: (session) => sessions.noteChannel(session),
  };

  const closers = listenOnBus(deps, sessions);
  const sweep = setInterval(() => {
    const wall = Date.now();
    for (const session of sessions.all()) session.sweep(wall);
  }, sweepMs);

  return {
    enter(handshake) {
      counters.connects += 1;
      try {
        sessions.add(new Session(deps, handshake, ulid(), owner));
      } catch (err) {
        log.error({ err, device: handshake.device }, "session failed, TCP dropped");
        handshake.transport.destroy();
      }
    },
    get draining() {
      return draining;
    },
    async stop(mode) {
      draining = true;
      // First of all, because NATS may be about to stop too.
      registry.draining().catch((err: unknown) => log.warn({ err }, "drain not noted"));
      if (mode === "drain") {
        log.info({ connections: sessions.connections() }, "drain started");
        await drainSessions(sessions, wheel);
      }
      for (const session of sessions.all()) session.close("restart");
      clearInterval(sweep);
      for (const closer of closers) closer.close();
      await delay(flushMs);
    },
  };
}

/** Answers for a gateway's sessions on the bus, and follows whether NATS is there. */
function listenOnBus({ bus, gateway, settings, observe }: SessionDeps, sessions: SessionTable): readonly Closer[] {
  const deliverAll = (frame: Outbound, { subject, trace }: Arrival, group?: string) => {
    // Not once for each device.
    if (frame.kind === "text" && !fitsDevice(frame.body)) return bus.drop(subject, "oversize", refusedFrames.oversize);
    for (const [device, session] of sessions.devices()) {
      session.contain(() => {
        if (group === undefined || groupsOf(settings.profile(device)).includes(group)) session.deliver(frame, trace);
      });
    }
  };
  const replay = (request: ReplayRequest): ReplayAnswer => {
    const session = sessions.session(request.session);
    const newest = session?.uplink.seq ?? 0;
    const frames = session?.uplink.replay(request.from, request.to ?? newest) ?? [];
    return { session: request.session, open: session !== undefined && !session.ended, newest, frames };
  };
  const obey = ({ body }: Command) => {
    if (body.type === "drain") process.kill(process.pid, "SIGTERM");
    else sessions.close(body.device, body.session, body.reason === "replaced" ? "replaced" : "disconnected");
  };
  return [
    bus.subscribe(channels.fleetOut(), (frame, arrival) => deliverAll(frame, arrival)),
    bus.subscribe(channels.groupOut("*"), (frame, arrival) =>
      deliverAll(frame, arrival, arrival.subject.split(".")[1]),
    ),
    bus.respond(channels.replay(gateway), replay),
    bus.subscribe(channels.command(gateway), obey),
    bus.onChange((connected) => {
      observe.log.warn({ connected }, connected ? "NATS connected" : "NATS disconnected");
      if (connected) for (const session of sessions.all()) session.resume();
    }),
  ];
}

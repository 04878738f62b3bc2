import { ConflictError, type Bus } from "@voxbus/bus";
import type { Registry } from "@voxbus/presence";
import { channels, type Presence } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import type { DeviceRecords } from "./device-records.ts";
import type { Session } from "./session.ts";
import { isShown } from "./state.ts";

/** Keeps presence and the devices' records in step with this gateway's sessions. */
export interface Registration {
  /**
   * A session was opened: writes its presence, and closes the session that the device has elsewhere. Closes the session if
   * its presence cannot be written, or if the device has a newer one.
   */
  opened(session: Session): void;
  /** A session that was opened ended. `wasHolder`: no newer session of the device is here. */
  ended(session: Session, reason: string, wasHolder: boolean): void;
}

/** Creates the registration of one gateway. */
export function createRegistration({
  bus,
  registry,
  records,
  gateway,
  log,
}: {
  readonly bus: Bus;
  readonly registry: Registry;
  readonly records: DeviceRecords;
  readonly gateway: string;
  readonly log: Log;
}): Registration {
  /** Aborts the writes of presence that go on, by session. */
  const writing = new Map<string, AbortController>();

  const replaceElsewhere = (device: string, previous: Presence) => {
    bus.publish(channels.command(previous.gateway), {
      body: { type: "disconnect", device, session: previous.session, reason: "replaced" },
    });
  };

  const enter = async (session: Session) => {
    const { device, id, since, remote, framing: protocol, features } = session;
    const abort = new AbortController();
    writing.set(id, abort);
    const { channel: audio } = session;
    const state = audio === "closed" ? ("idle" as const) : ("active" as const);
    const presence = { session: id, since, remote, protocol, features, state, ...(audio && { audio }) };
    const { previous } = await registry.enter(device, presence, abort.signal).finally(() => writing.delete(id));
    if (session.ended) return registry.leave(device, id);
    // The state may have changed while the entry was being written.
    const now = { audio: session.channel, features: session.features };
    if (isShown(session.state)) registry.update(device, id, { ...now, state: session.state });
    records.opened(session, previous);
    if (previous && previous.gateway !== gateway) replaceElsewhere(device, previous);
  };

  return {
    opened(session) {
      const { device, id } = session;
      enter(session).catch((err: unknown) => {
        if (session.ended) return;
        log.warn({ err, device, session: id }, "registration lost, closing");
        session.close(err instanceof ConflictError ? "replaced" : "unregistered");
      });
    },
    ended(session, reason, wasHolder) {
      const { device, id } = session;
      writing.get(id)?.abort();
      records.ended(session, reason);
      if (!wasHolder) return;
      // The entry may be that of an earlier session here, which this one did not replace yet.
      registry.leave(device).catch((err: unknown) => log.warn({ err, device }, "presence removal failed"));
    },
  };
}

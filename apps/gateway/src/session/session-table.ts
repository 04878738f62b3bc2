import type { CloseName } from "@voxbus/protocol";
import type { Session } from "./session.ts";
import type { LifeState } from "./state.ts";

/** All sessions of one gateway, and the session that holds each device. */
export class SessionTable {
  readonly #sessions = new Map<string, Session>();
  readonly #devices = new Map<string, Session>();
  /** Sessions whose audio channel is closed. */
  readonly #idle = new Set<Session>();

  /** Every session, those without a hello included. */
  all(): readonly Session[] {
    return [...this.#sessions.values()];
  }

  /** The devices and the sessions that hold them. */
  devices(): Iterable<readonly [device: string, session: Session]> {
    return this.#devices;
  }

  session(id: string): Session | undefined {
    return this.#sessions.get(id);
  }

  /** Gives the session that holds a device. */
  holderOf(device: string): Session | undefined {
    return this.#devices.get(device);
  }

  add(session: Session): void {
    this.#sessions.set(session.id, session);
    this.noteChannel(session);
  }

  remove(session: Session): void {
    this.#sessions.delete(session.id);
    this.#idle.delete(session);
  }

  /** Lets a session hold its device: the newest one wins. Gives the session that it replaces. */
  hold(session: Session): Session | undefined {
    const replaced = this.#devices.get(session.device);
    this.#devices.set(session.device, session);
    return replaced;
  }

  /** Ends a session's hold on its device. Returns false if a newer session holds it. */
  letGo(session: Session): boolean {
    return this.#devices.get(session.device) === session && this.#devices.delete(session.device);
  }

  /** Closes the session that holds a device: any, or only the session with this id. */
  close(device: string, session: string | undefined, reason: CloseName): void {
    const holder = this.#devices.get(device);
    if (session === undefined || session === holder?.id) holder?.close(reason);
  }

  /** Closes every session of a device, also one without a hello yet. */
  closeAll(device: string, reason: CloseName): void {
    for (const session of this.#sessions.values()) if (session.device === device) session.close(reason);
  }

  /** Numbers of what a drain waits for. */
  readonly left = () => ({ sessions: this.connections(), replies: this.speaking() });

  /** Number of connections. */
  connections(): number {
    return this.#sessions.size;
  }

  /** Notes whether the audio channel of a session is closed. */
  noteChannel(session: Session): void {
    if (session.channel === "closed") this.#idle.add(session);
    else this.#idle.delete(session);
  }

  /** Number of connections of devices that are reached while they are idle, and are. */
  idle(): number {
    return this.#idle.size;
  }

  /** Number of connections that have a conversation, or are on their way to one. */
  talking(): number {
    return this.connections() - this.idle();
  }

  /** Number of connections that have sent no hello yet. */
  pending(): number {
    return this.#sessions.size - this.#devices.size;
  }

  /** Number of devices that speak. */
  speaking(): number {
    let speaking = 0;
    for (const session of this.#devices.values()) if (session.speaking) speaking += 1;
    return speaking;
  }

  /** Number of frames that wait for NATS. */
  waiting(): number {
    let waiting = 0;
    for (const { uplink } of this.#sessions.values()) waiting += uplink.waiting;
    return waiting;
  }

  /** Number of connections in each state. */
  states(): ReadonlyMap<LifeState, number> {
    const states = new Map<LifeState, number>();
    for (const { state } of this.#sessions.values()) states.set(state, (states.get(state) ?? 0) + 1);
    return states;
  }
}

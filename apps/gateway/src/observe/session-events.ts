import { BusAwayError, type Bus } from "@voxbus/bus";
import { channels, type Event } from "@voxbus/protocol";
import type { Counters } from "./counters.ts";

/** Publishes one session's events: changes of its state, and how its turns ended (docs/bus.md, event). */
export class SessionEvents {
  readonly #bus: Bus;
  readonly #drops: Counters["drops"];
  readonly #session: { readonly id: string; readonly device: string; readonly gateway: string };
  /** Average round trip of the pings, ms; undefined before the first pong. */
  rtt: number | undefined;

  constructor(
    { bus, drops }: { readonly bus: Bus; readonly drops: Counters["drops"] },
    session: { readonly id: string; readonly device: string; readonly gateway: string },
  ) {
    this.#bus = bus;
    this.#drops = drops;
    this.#session = session;
  }

  /** Publishes an event, or drops and counts it while NATS is away. */
  publish(fields: Partial<Event>): void {
    const rtt = this.rtt && Math.round(this.rtt * 10) / 10;
    try {
      const { id: session, device, gateway } = this.#session;
      this.#bus.publish(channels.event(device), { gateway, session, at: Date.now(), rtt, ...fields });
    } catch (error) {
      if (!(error instanceof BusAwayError)) throw error;
      this.#drops["bus-away"] += 1;
    }
  }
}

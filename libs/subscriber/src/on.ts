import type { Arrival, Bus, Closer } from "@voxbus/bus";
import {
  channels,
  parseDeviceId,
  stored,
  type Channel,
  type Event,
  type Heard,
  type InAudio,
  type InControlFrame,
  type InText,
  type Say,
} from "@voxbus/protocol";
import type { z } from "zod";

/**
 * Handles a message; `from.device` is its sender. An async handler may run for several messages at once, in any order.
 * An error that it throws or rejects with is logged, and counted as the drop `handler-failed`. The next messages are
 * handled nevertheless.
 */
export type Handler<T> = (message: T, from: Arrival) => void | Promise<void>;

/** Selects messages: those of one `device`, or of all. Of all subscriptions with the same `queue`, one gets each message. */
export interface Where {
  readonly device?: string;
  readonly queue?: string;
}

/**
 * Subscribes to devices' messages until the returned handle is closed. Delivery is live and at most once: messages sent
 * before the program ran, or while NATS was away, do not come. A message that does not decode is counted and skipped.
 * Throws `bad-id` for an invalid device id.
 */
export interface On {
  /** Every Opus packet that a device sends, inside and outside of a listen. */
  audio(handler: Handler<InAudio>, where?: Where): Closer;
  /** Text typed by the user, or recognized by the device itself. Speech that the system recognizes comes with `heard`. */
  text(handler: Handler<InText>, where?: Where): Closer;
  /** Opened and closed sessions, started and stopped listens, aborts, wake words, MCP answers; see `body.type`. */
  control(handler: Handler<InControlFrame>, where?: Where): Closer;
  /** Final transcripts, each stored once. For speech that was not understood, `text` is empty and `reason` is set. */
  heard(handler: Handler<Heard>, where?: Where): Closer;
  /** The sentences of every reply and announcement, once each. */
  say(handler: Handler<Say>, where?: Where): Closer;
  /** Changes of a session's state, and the outcome of each turn. */
  event(handler: Handler<Event>, where?: Where): Closer;
}

/** Creates `on` for a connection. */
export function createOn(bus: Bus): On {
  function listen<S extends z.ZodType>(
    toChannels: readonly ((device: string) => Channel<S>)[],
    handler: Handler<z.infer<S>>,
    { device, queue }: Where = {},
  ): Closer {
    const id = device === undefined ? "*" : parseDeviceId(device);
    const options = queue === undefined ? {} : { queue };
    const closers = toChannels.map((toChannel) => bus.subscribe(toChannel(id), handler, options));
    return { close: () => closers.forEach((closer) => closer.close()) };
  }
  // A stream may refuse a message, such as the result of a second worker. The raw channels show it nevertheless.
  const heard = (id: string) => stored(channels.heard(id));
  const sayOpen = (id: string) => stored(channels.sayOpen(id));
  const say = (id: string) => stored(channels.say(id));
  return {
    audio: (handler, where) => listen([channels.inAudio], handler, where),
    text: (handler, where) => listen([channels.inText], handler, where),
    control: (handler, where) => listen([channels.inControl, channels.inControlOpen], handler, where),
    heard: (handler, where) => listen([heard], handler, where),
    say: (handler, where) => listen([sayOpen, say], handler, where),
    event: (handler, where) => listen([channels.event], handler, where),
  };
}

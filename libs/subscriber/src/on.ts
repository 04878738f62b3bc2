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
 * What a team does with a message; `from.device` is who sent it. It may be async: then several run at once, in no
 * order. One that throws or rejects is counted and logged, and the next message comes all the same.
 */
export type Handler<T> = (message: T, from: Arrival) => void | Promise<void>;

/** Whose messages: one `device`, or all of them without it. Of all programs with the same `queue` one gets each message. */
export interface Where {
  readonly device?: string;
  readonly queue?: string;
}

/**
 * Listens to devices until the given handle is closed. Live and at most once: what was sent before the program ran, or
 * while NATS was away, does not come. What does not decode is counted and skipped. Throws `bad-id` for a device id that
 * is none.
 */
export interface On {
  /** Every Opus packet that a device sends, while it listens or not. */
  audio(handler: Handler<InAudio>, where?: Where): Closer;
  /** Text typed by the user, or recognised by the device itself. */
  text(handler: Handler<InText>, where?: Where): Closer;
  /** Sessions that open and close, listens that start and stop, aborts, wake words, MCP answers: `body.type` says which. */
  control(handler: Handler<InControlFrame>, where?: Where): Closer;
  /** Transcripts, once each; `text` is empty and `reason` set for speech that was not understood. */
  heard(handler: Handler<Heard>, where?: Where): Closer;
  /** The sentences of every reply and announcement, once each. */
  say(handler: Handler<Say>, where?: Where): Closer;
  /** Changes of a session's state, and how each turn was played. */
  event(handler: Handler<Event>, where?: Where): Closer;
}

/** Makes `on` of a connection; `failed` gets what a handler threw. */
export function createOn(bus: Bus, failed: (kind: keyof On, error: unknown) => void): On {
  function listen<S extends z.ZodType>(
    kind: keyof On,
    toChannels: readonly ((device: string) => Channel<S>)[],
    handler: Handler<z.infer<S>>,
    { device, queue }: Where = {},
  ): Closer {
    const fail = (error: unknown) => failed(kind, error);
    const handle = (message: z.infer<S>, from: Arrival) => {
      try {
        handler(message, from)?.catch(fail);
      } catch (error) {
        fail(error);
      }
    };
    const id = device === undefined ? "*" : parseDeviceId(device);
    const options = queue === undefined ? {} : { queue };
    const closers = toChannels.map((toChannel) => bus.subscribe(toChannel(id), handle, options));
    return { close: () => closers.forEach((closer) => closer.close()) };
  }
  // The raw channels of heard and say also show what the stream refused: a second worker's result.
  const heard = (id: string) => stored(channels.heard(id));
  const sayOpen = (id: string) => stored(channels.sayOpen(id));
  const say = (id: string) => stored(channels.say(id));
  return {
    audio: (handler, where) => listen("audio", [channels.inAudio], handler, where),
    text: (handler, where) => listen("text", [channels.inText], handler, where),
    control: (handler, where) => listen("control", [channels.inControl, channels.inControlOpen], handler, where),
    heard: (handler, where) => listen("heard", [heard], handler, where),
    say: (handler, where) => listen("say", [sayOpen, say], handler, where),
    event: (handler, where) => listen("event", [channels.event], handler, where),
  };
}

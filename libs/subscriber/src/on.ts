import type { Arrival, Bus, Closer } from "@voxbus/bus";
import { Event, Heard, InAudio, InControlFrame, InText, parseDeviceId, Say, subjects } from "@voxbus/protocol";
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
  const listen =
    <S extends z.ZodType>(kind: keyof On, schema: S, subjectsOf: (device: string) => readonly string[]) =>
    (handler: Handler<z.infer<S>>, { device, queue }: Where = {}): Closer => {
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
      const closers = subjectsOf(id).map((subject) => bus.subscribe(subject, schema, handle, options));
      return { close: () => closers.forEach((closer) => closer.close()) };
    };
  return {
    audio: listen("audio", InAudio, (id) => [subjects.in(id, "audio")]),
    text: listen("text", InText, (id) => [subjects.in(id, "text")]),
    control: listen("control", InControlFrame, (id) => [subjects.in(id, "control"), subjects.open(id)]),
    // What the stream refused (a second worker's result) is seen on the raw subjects only.
    heard: listen("heard", Heard, (id) => [subjects.stored(subjects.heard(id))]),
    say: listen("say", Say, (id) => [subjects.stored(subjects.sayOpen(id)), subjects.stored(subjects.say(id))]),
    event: listen("event", Event, (id) => [subjects.event(id)]),
  };
}

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
import type { ConfigShape, Service } from "@voxbus/service";
import type { z } from "zod";
import { MessageSource, TurnSource, type From, type FromTurn } from "./arrivals.ts";
import type { FenceWatch } from "./fence-watch.ts";
import { createHandlerQueue, type HandlerLimits } from "./handler-queue.ts";
import { createHandlerWork } from "./handler-work.ts";
import { runInTrace } from "./handler-trace.ts";

/**
 * Handles a message; `from.device` is its sender. The messages of a device are handled in order: while an async handler works
 * on one, the next ones wait. An error that it throws or rejects with is logged, and counted as the drop `handler-failed`; after
 * `from.signal` has aborted at the fence it is neither. The next messages are handled nevertheless. When the program stops, the
 * messages that have come so far have 20 s (SIGINT: 0.5 s), and no more come to an async handler.
 */
export type Handler<T, F extends From = From> = (message: T, from: F) => void | Promise<void>;

/**
 * Selects messages: those of one `device`, or of all. Of all subscriptions with the same `queue`, one gets each message. Without
 * `queue` each gets every message. Messages beyond a limit are counted as the drops `queue-full` and `handler-timeout`.
 */
export interface Where extends HandlerLimits {
  readonly device?: string;
  readonly queue?: string;
}

/**
 * Subscribes to devices' messages until the returned handle is closed. Delivery is live and at most once: messages sent
 * before the program ran, or while NATS was away, do not come. A message that does not decode is counted and skipped.
 * Throws `bad-id` for an invalid device id, RangeError for an invalid limit.
 */
export interface On {
  /** Every Opus packet that a device sends, inside and outside of a listen. */
  audio(handler: Handler<InAudio>, where?: Where): Closer;
  /** Text typed by the user, or recognized by the device itself. Speech that the system recognizes comes with `heard`. */
  text(handler: Handler<InText, FromTurn>, where?: Where): Closer;
  /** Opened and closed sessions, started and stopped listens, aborts, wake words, MCP answers; see `body.type`. */
  control(handler: Handler<InControlFrame>, where?: Where): Closer;
  /** Transcripts of an utterance that may still change. A final one follows with `heard`. */
  partial(handler: Handler<Heard>, where?: Where): Closer;
  /** Final transcripts, each stored once. For speech that was not understood, `text` is empty and `reason` is set. */
  heard(handler: Handler<Heard, FromTurn>, where?: Where): Closer;
  /** The sentences of every reply and announcement, once each. */
  say(handler: Handler<Say>, where?: Where): Closer;
  /** Changes of a session's state, and the outcome of each turn. */
  event(handler: Handler<Event>, where?: Where): Closer;
}

/** Gives the place of a message in its session. */
export type TurnOf<T> = (message: T) => Pick<FromTurn, "session" | "origin">;

/** Gives the turn that typed text begins. */
export function typedTurn({ session, seq }: InText) {
  return { session, origin: seq };
}

/** Gives the turn that a transcript begins. */
export function heardTurn({ session, origin }: Heard) {
  return { session, origin };
}

/** A handler, and the source that it gets with each message. */
interface Listener<T, F> {
  readonly handle: (message: T, from: F) => unknown;
  readonly source: (message: T, arrival: Arrival) => F;
}

/** Dependencies of `on`. */
interface OnDeps extends Pick<Service<ConfigShape>, "drain"> {
  readonly bus: Bus;
  readonly fences: FenceWatch;
}

/** Creates `on` for a program. */
export function createOn({ bus, fences, drain }: OnDeps): On {
  const work = createHandlerWork();
  /**
   * Subscriptions that a stop closes: those of queues, whose other members go on, and those whose handlers are async. The others have
   * no work to finish, and may bring what that of these awaits.
   */
  const lasting = new Set<Closer>();
  let isStopping = false;
  drain(
    async (mode) => {
      isStopping = true;
      for (const subscription of lasting) subscription.close();
      await work.finish(mode);
    },
    (): Readonly<Record<string, number>> => (work.count() > 0 ? { handlers: work.count() } : {}),
  );
  function listen<S extends z.ZodType, F extends MessageSource>(
    toChannels: readonly ((device: string) => Channel<S>)[],
    { handle, source }: Listener<z.infer<S>, F>,
    { device, queue, ...limits }: Where = {},
  ): Closer {
    const id = device === undefined ? "*" : parseDeviceId(device);
    const options = queue === undefined ? {} : { queue };
    const enqueue = createHandlerQueue(handle, limits);
    const take = (message: z.infer<S>, arrival: Arrival) => {
      const result = enqueue(message, source(message, arrival));
      if (result instanceof Promise) {
        lasting.add(subscription);
        if (isStopping) subscription.close();
      }
      return work.track(result);
    };
    const closers = toChannels.map((toChannel) => bus.subscribe(toChannel(id), take, options));
    const subscription: Closer = {
      close() {
        lasting.delete(subscription);
        for (const closer of closers) closer.close();
      },
    };
    if (queue !== undefined) lasting.add(subscription);
    return subscription;
  }
  const any = <T>(handle: Handler<T>): Listener<T, MessageSource> => {
    return { handle, source: (_, arrival) => new MessageSource(arrival) };
  };
  const ofTurn = <T>(turnOf: TurnOf<T>, handler: Handler<T, FromTurn>, { device }: Where = {}) => {
    const known = fences.of(device);
    const source = (message: T, arrival: Arrival) => new TurnSource(arrival, turnOf(message), known);
    return { source, handle: (message: T, from: TurnSource) => runTurn(() => handler(message, from), from) };
  };

  // A stream may refuse a message, such as the result of a second worker. The raw channels show it nevertheless.
  const heard = (id: string) => stored(channels.heard(id));
  const sayOpen = (id: string) => stored(channels.sayOpen(id));
  const say = (id: string) => stored(channels.say(id));
  return {
    audio: (handler, where) => listen([channels.inAudio], any(handler), where),
    text: (handler, where) => listen([channels.inText], ofTurn(typedTurn, handler, where), where),
    control: (handler, where) => listen([channels.inControl, channels.inControlOpen], any(handler), where),
    partial: (handler, where) => listen([channels.heardPartial], any(handler), where),
    heard: (handler, where) => listen([heard], ofTurn(heardTurn, handler, where), where),
    say: (handler, where) => listen([sayOpen, say], any(handler), where),
    event: (handler, where) => listen([channels.event], any(handler), where),
  };
}

/** Runs a handler on a message of a turn. Its error after the fence is the end of useless work. */
export function runTurn(handle: () => unknown, from: TurnSource): unknown {
  let result: unknown;
  try {
    result = runInTrace(from.trace, handle);
  } catch (error) {
    from.close();
    if (!from.isFenced) throw error;
    return undefined;
  }
  if (!(result instanceof Promise)) {
    from.close();
    return result;
  }
  return result
    .catch((error: unknown) => {
      if (!from.isFenced) throw error;
    })
    .finally(() => from.close());
}

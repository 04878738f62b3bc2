import { outcomeOf, type Event, type Heard, type InText, type Say } from "@voxbus/protocol";
import type { Arrival, Closer, On } from "@voxbus/subscriber";
import { createRollingPercentiles } from "./rolling-percentiles.ts";
import { createTurnCounting, type TurnCounting } from "./turn-counts.ts";
import { createTurnStore, type TurnStore } from "./turn-store.ts";
import type { Latencies, TurnView } from "./turn-view.ts";

/** The turns of every device, as far as the bus shows them. */
export interface Turns
  extends
    Pick<TurnStore, "last" | "recent" | "talking" | "forget" | "watch">,
    Pick<TurnCounting, "rates" | "counts">,
    Closer {
  /** Adds times that only a watcher of one device sees. */
  note(device: string, turn: Pick<TurnView, "id" | "session" | "speech" | "voicedAt">): void;
  latencies(now: number): Latencies;
}

/** A turn's id: its session and origin, or the reply of an announcement. */
export function nameTurn(about: {
  readonly session?: string | undefined;
  readonly origin?: number | undefined;
  readonly reply?: string | undefined;
}): string {
  return about.origin === undefined ? (about.reply ?? "") : `${about.session}:${about.origin}`;
}

/**
 * Assembles the turns of all devices from what is heard, said and played. Times are times of arrival here, so they can be
 * compared. Transcripts are kept only with `transcripts`.
 */
export function createTurns({ on, transcripts }: { readonly on: On; readonly transcripts: boolean }): Turns {
  const store = createTurnStore();
  const counting = createTurnCounting();
  const durations = { thought: createRollingPercentiles(), sound: createRollingPercentiles() };

  const heard = (message: Heard | InText, origin: number, text: string, from: Arrival) => {
    const { session } = message;
    const now = Date.now();
    counting.heard(now);
    store.update(from.device, { id: nameTurn({ session, origin }), session }, (turn) => ({
      origin,
      heardAt: now,
      engines: { ...turn.engines, ...("engine" in message && { asr: message.engine }) },
      ...(transcripts ? { heard: text } : {}),
      trace: traceOf(from),
    }));
  };

  const said = ({ session = "", origin, reply, sentence, text, engine, keepMs }: Say, from: Arrival) => {
    // It is said again when the device is told.
    if (keepMs !== undefined) return;
    const now = Date.now();
    store.update(from.device, { id: nameTurn({ session, reply, origin }), session }, (turn) => {
      if (turn.saidAt === undefined && turn.heardAt !== undefined) durations.thought.add(now, now - turn.heardAt);
      return {
        origin,
        saidAt: turn.saidAt ?? now,
        sentences: Math.max(turn.sentences, sentence + (text ? 1 : 0)),
        trace: turn.trace ?? traceOf(from),
        engines: { ...turn.engines, ...(engine !== undefined && { llm: engine }) },
        ...(transcripts && text ? { said: [...(turn.said ?? []), text] } : {}),
      };
    });
  };

  const ended = ({ session, turn: played }: Event, { device }: Arrival) => {
    if (played === undefined) return;
    const now = Date.now();
    const { origin, reply, fenced, dropped, late, firstAudio, engine } = played;
    const outcome = outcomeOf(played);
    counting.ended(now, outcome, late);
    const turn = store.update(device, { id: nameTurn({ session, origin, reply }), session }, (before) => {
      const { heardAt, saidAt } = before;
      const engines = { ...before.engines, ...(engine !== undefined && { tts: engine }) };
      const began = heardAt ?? saidAt;
      const soundAt = firstAudio === undefined || began === undefined ? undefined : Math.round(began + firstAudio);
      return { session, origin, endedAt: now, outcome, fenced, dropped, late, soundAt, engines };
    });
    if (firstAudio !== undefined && origin !== undefined) durations.sound.add(now, firstAudio);
    const { heardAt, saidAt } = turn;
    store.setLast(device, {
      at: now,
      outcome,
      ...(heardAt === undefined || saidAt === undefined ? {} : { thought: saidAt - heardAt }),
      ...(firstAudio === undefined ? {} : { sound: Math.round(firstAudio) }),
    });
  };

  const subscriptions = [
    on.heard((message, from) => {
      if (message.reason === "nothing-heard") noteUnheard(store, message, from);
      else heard(message, message.origin, message.text, from);
    }),
    on.text((message, from) => heard(message, message.seq, message.body, from)),
    on.say(said),
    on.event(ended),
  ];

  return {
    ...store,
    note: (device, { id, session, ...seen }) => void store.update(device, { id, session }, () => seen),
    rates: counting.rates,
    counts: counting.counts,
    latencies: (now) => ({ thought: durations.thought.read(now), sound: durations.sound.read(now) }),
    close: () => subscriptions.forEach((subscription) => subscription.close()),
  };
}

/** Notes a turn in which nothing was heard. It ends with its transcript. */
function noteUnheard(store: TurnStore, { session, origin }: Heard, from: Arrival): void {
  const now = Date.now();
  const ended = { heardAt: now, endedAt: now, outcome: "nothing-heard" } as const;
  const named = { id: nameTurn({ session, origin }), session };
  store.update(from.device, named, () => ({ origin, trace: traceOf(from), ...ended }));
  store.setLast(from.device, { at: now, outcome: ended.outcome });
}

/** The trace id in a message's headers, if it has one. */
function traceOf({ trace }: Arrival): string | undefined {
  return /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(trace["traceparent"] ?? "")?.[1];
}

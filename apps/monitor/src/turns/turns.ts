import type { Event, Heard, InText, Say } from "@voxbus/protocol";
import type { Arrival, Closer, On } from "@voxbus/subscriber";
import type { LastTurn, Latencies, TurnView } from "../live/live.ts";
import { createDurations, createRate } from "./rolling-percentiles.ts";

const turnsOfDevice = 12;
const maxDevices = 20_000;

/** What is known of the turns of every device, from the bus alone. */
export interface Turns extends Closer {
  /** The newest turn of a device that ended. */
  last(device: string): LastTurn | undefined;
  /** A device's newest turns, oldest first. */
  recent(device: string): readonly TurnView[];
  /** Called with each turn that began or went on. */
  watch(device: string, changed: (turn: TurnView) => void): Closer;
  /** Adds what only a watcher of one device sees. */
  note(device: string, turn: Pick<TurnView, "id" | "session" | "speech" | "voicedAt">): void;
  rates(now: number): { readonly heard: number; readonly played: number; readonly failed: number };
  latencies(now: number): Latencies;
}

/** A turn's id: its session and origin, or the reply of an announcement. */
export function nameTurn(about: {
  readonly session?: string;
  readonly origin?: number;
  readonly reply?: string;
}): string {
  return about.origin === undefined ? (about.reply ?? "") : `${about.session}:${about.origin}`;
}

/** The trace id in a message's headers, if it came with one. */
function traceOf({ trace }: Arrival): string | undefined {
  return /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(trace["traceparent"] ?? "")?.[1];
}

/**
 * Puts the turns of all devices together from what is heard, said and played. Times are those of arrival here, so that
 * they can be compared. Words are kept only with `transcripts`.
 */
export function createTurns(options: { readonly on: On; readonly transcripts: boolean }): Turns {
  const { on, transcripts } = options;
  const devices = new Map<string, { turns: Map<string, TurnView>; last?: LastTurn }>();
  const watchers = new Map<string, Set<(turn: TurnView) => void>>();
  const rates = { heard: createRate(), played: createRate(), failed: createRate() };
  const durations = { thought: createDurations(), sound: createDurations() };

  const stateOf = (device: string) => {
    let state = devices.get(device);
    if (state === undefined) {
      state = { turns: new Map() };
      devices.set(device, state);
      if (devices.size > maxDevices) devices.delete(devices.keys().next().value ?? "");
    }
    return state;
  };

  const update = (
    device: string,
    id: string,
    session: string,
    change: (turn: TurnView) => Partial<TurnView>,
  ): TurnView => {
    const { turns } = stateOf(device);
    const known = turns.get(id) ?? { id, session, sentences: 0, fenced: 0, dropped: 0, late: 0 };
    const turn = { ...known, ...change(known) };
    turns.set(id, turn);
    if (turns.size > turnsOfDevice) turns.delete(turns.keys().next().value ?? "");
    watchers.get(device)?.forEach((changed) => changed(turn));
    return turn;
  };

  const heard = (message: Heard | InText, origin: number, text: string, from: Arrival) => {
    const now = Date.now();
    rates.heard.add(now);
    const { session } = message;
    update(from.device, nameTurn({ session, origin }), session, () => ({
      origin,
      heardAt: now,
      ...(transcripts ? { heard: text } : {}),
      trace: traceOf(from),
    }));
  };

  const said = (message: Say, from: Arrival) => {
    const { session = "", origin, reply, sentence, text } = message;
    const now = Date.now();
    update(from.device, nameTurn({ session, reply, ...(origin === undefined ? {} : { origin }) }), session, (turn) => {
      if (turn.saidAt === undefined && turn.heardAt !== undefined) durations.thought.add(now, now - turn.heardAt);
      const words = transcripts && text ? { said: [...(turn.said ?? []), text] } : {};
      return {
        origin,
        saidAt: turn.saidAt ?? now,
        sentences: Math.max(turn.sentences, sentence + (text ? 1 : 0)),
        trace: turn.trace ?? traceOf(from),
        ...words,
      };
    });
  };

  const ended = ({ session, turn: played }: Event, from: Arrival) => {
    if (played === undefined) return;
    const now = Date.now();
    const { origin, reply, complete, reason, fenced, dropped, late, firstAudio } = played;
    const outcome = complete ? "played" : (reason ?? "failed");
    rates[complete ? "played" : "failed"].add(now);
    const id = nameTurn({
      session,
      ...(origin === undefined ? {} : { origin }),
      ...(reply === undefined ? {} : { reply }),
    });
    const turn = update(from.device, id, session, ({ heardAt, saidAt }) => {
      const began = heardAt ?? saidAt;
      const soundAt = firstAudio === undefined || began === undefined ? undefined : Math.round(began + firstAudio);
      return { session, origin, endedAt: now, outcome, fenced, dropped, late, soundAt };
    });
    if (firstAudio !== undefined && origin !== undefined) durations.sound.add(now, firstAudio);
    const { heardAt, saidAt } = turn;
    stateOf(from.device).last = {
      at: now,
      outcome,
      ...(heardAt === undefined || saidAt === undefined ? {} : { thought: saidAt - heardAt }),
      ...(firstAudio === undefined ? {} : { sound: Math.round(firstAudio) }),
    };
  };

  const subscriptions = [
    on.heard((message, from) => heard(message, message.origin, message.text, from)),
    on.text((message, from) => heard(message, message.seq, message.body, from)),
    on.say(said),
    on.event(ended),
  ];

  return {
    last: (device) => devices.get(device)?.last,
    recent: (device) => [...(devices.get(device)?.turns.values() ?? [])],
    watch(device, changed) {
      const set = watchers.get(device) ?? new Set();
      watchers.set(device, set.add(changed));
      return {
        close() {
          set.delete(changed);
          if (set.size === 0) watchers.delete(device);
        },
      };
    },
    note: (device, { id, session, ...seen }) => void update(device, id, session, () => seen),
    rates: (now) => ({
      heard: rates.heard.perMinute(now),
      played: rates.played.perMinute(now),
      failed: rates.failed.perMinute(now),
    }),
    latencies: (now) => ({
      thought: durations.thought.percentiles(now),
      sound: durations.sound.percentiles(now),
    }),
    close: () => subscriptions.forEach((subscription) => subscription.close()),
  };
}

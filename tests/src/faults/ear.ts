/** A received sentence: its subtitle and the packets up to the next one. */
export interface Sentence {
  /** Undefined for sound before the first subtitle. */
  readonly text: string | undefined;
  readonly packets: Buffer[];
}

/** The messages from a `tts/start` to its `tts/stop`. */
export interface Exchange {
  readonly startedAt: number;
  stoppedAt?: number;
  heard?: string;
  readonly sentences: Sentence[];
  /** The times of all packets, ms of `performance.now()`. */
  readonly soundAt: number[];
  alerted: boolean;
  /** The device was told that it must wait. */
  waited?: boolean;
}

/** Reads the answers on one connection and checks their order. */
export interface Ear {
  /** Takes a JSON message or an audio packet. */
  text(message: Readonly<Record<string, unknown>>): void;
  audio(packet: Buffer): void;
  /** Notes that the device aborts. Sound may come until `tts/stop`, and one `tts/stop` may come without a start. */
  abort(): void;
  readonly speaking: boolean;
}

/** The events of an ear. */
export interface EarEvents {
  started(exchange: Exchange): void;
  sound(exchange: Exchange): void;
  stopped(exchange: Exchange): void;
  /** A transcript or an alert: a sign that the turn goes on. */
  sign(): void;
  /** A message that must never come: sound outside `tts/start` and `tts/stop`, or a second start. */
  stray(problem: string): void;
}

/** Creates an ear for one connection. */
export function createEar(events: EarEvents): Ear {
  let exchange: Exchange | undefined;
  let heard: string | undefined;
  let alerted = false;
  let aborts = 0;

  const start = () => {
    if (exchange) events.stray("tts/start twice");
    exchange = { startedAt: performance.now(), sentences: [], soundAt: [], alerted, ...(heard ? { heard } : {}) };
    heard = undefined;
    alerted = false;
    events.started(exchange);
  };
  const stop = () => {
    if (aborts > 0) aborts -= 1;
    else if (!exchange) events.stray("tts/stop without tts/start");
    if (!exchange) return;
    const over = exchange;
    over.stoppedAt = performance.now();
    exchange = undefined;
    events.stopped(over);
  };
  return {
    get speaking() {
      return exchange !== undefined;
    },
    abort: () => void (aborts += 1),
    text(message) {
      const { type, state, text } = message;
      if (type === "stt") heard = String(text);
      // Told to wait, a device gets its answer nevertheless.
      if (type === "alert" && message["status"] === "Wait") {
        if (exchange) exchange.waited = true;
      } else if (type === "alert") {
        if (exchange) exchange.alerted = true;
        else alerted = true;
      }
      if (type === "stt" || type === "alert") events.sign();
      if (type !== "tts") return;
      if (state === "start") start();
      else if (state === "stop") stop();
      else if (state === "sentence_start") {
        if (exchange) exchange.sentences.push({ text: String(text), packets: [] });
        else events.stray("sentence_start without tts/start");
      }
    },
    audio(packet) {
      if (!exchange) return events.stray("sound without tts/start");
      const last = exchange.sentences.at(-1) ?? { text: undefined, packets: [] };
      if (exchange.sentences.length === 0) exchange.sentences.push(last);
      last.packets.push(packet);
      exchange.soundAt.push(performance.now());
      events.sound(exchange);
    },
  };
}

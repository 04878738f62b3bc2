import { uplink, type Silence, type Utterance } from "./utterance.ts";

/** Milliseconds since the epoch on a clock that never steps, with fractions. */
export function readClock(): number {
  return performance.timeOrigin + performance.now();
}

/** The result of saying an utterance. */
export interface Spoken {
  /** The time at which the last packet with speech was sent, in ms of `readClock`; undefined if it was not. */
  readonly speechEnd: number | undefined;
  /** False when the microphone was turned off before the last packet. */
  readonly complete: boolean;
}

/** A microphone. While it is on, it sends a packet every 60 ms: speech, or silence if there is no speech. */
export interface Microphone {
  readonly on: boolean;
  /** Turns it on; the first packet follows after 60 ms. Does nothing if it is on. */
  turnOn(): void;
  /** Turns it off and cuts the speech that is not sent yet. */
  turnOff(): void;
  /** Queues an utterance; resolves when it was sent or cut. Throws while the microphone is off. */
  speak(utterance: Utterance): Promise<Spoken>;
}

interface Speech {
  readonly utterance: Utterance;
  sent: number;
  speechEnd: number | undefined;
  finish(spoken: Spoken): void;
}

const longestBacklogFrames = 40;

/**
 * Creates a microphone with an absolute clock: frame n is sent 60·(n+1) ms after it was turned on, however late timers fire.
 * After a stall the missed frames are sent at once, up to the 40 that a device can hold (docs/protocol.md, device buffer).
 */
export function createMicrophone(options: {
  readonly silence: Silence;
  readonly send: (packet: Uint8Array) => void;
}): Microphone {
  const { silence, send } = options;
  let timer: NodeJS.Timeout | undefined;
  let due = 0;
  let silentFrames = 0;
  let queue: Speech[] = [];
  const isOn = () => timer !== undefined;

  const sendFrame = () => {
    const speech = queue[0];
    if (speech === undefined) return send(silence(silentFrames++));
    silentFrames = 0;
    const { utterance } = speech;
    send(utterance.packets[speech.sent++]!);
    if (speech.sent === utterance.voiced) speech.speechEnd = readClock();
    if (speech.sent < utterance.packets.length) return;
    queue.shift();
    speech.finish({ speechEnd: speech.speechEnd, complete: true });
  };
  const arm = () => {
    timer = setTimeout(tick, Math.max(0, due - performance.now()));
  };
  const tick = () => {
    const now = performance.now();
    due = Math.max(due, now - longestBacklogFrames * uplink.frameMs);
    while (isOn() && due <= now) {
      due += uplink.frameMs;
      sendFrame();
    }
    if (isOn()) arm();
  };

  return {
    get on() {
      return isOn();
    },
    turnOn() {
      if (isOn()) return;
      due = performance.now() + uplink.frameMs;
      silentFrames = 0;
      arm();
    },
    turnOff() {
      clearTimeout(timer);
      timer = undefined;
      const cut = queue;
      queue = [];
      for (const speech of cut) speech.finish({ speechEnd: speech.speechEnd, complete: false });
    },
    speak(utterance) {
      if (!isOn()) throw new Error("the microphone is off");
      if (utterance.packets.length === 0) return Promise.resolve({ speechEnd: undefined, complete: true });
      return new Promise((finish) => queue.push({ utterance, sent: 0, speechEnd: undefined, finish }));
    },
  };
}

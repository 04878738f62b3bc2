import { encodeSpeech } from "@voxbus/testing";
import { encodeMasked, type LoadDevice } from "./device.ts";

/** The kinds of turn, a third each: typed and heard to its end, spoken, and typed and interrupted. */
export const turnKinds = ["typed", "spoken", "aborted"] as const;
export type TurnKind = (typeof turnKinds)[number];

/**
 * The end of a turn, as its device knows it. `answered`: sound of an answer came. `apologized`: only that of an apology.
 * `shed`: the device was told that there will be no answer. `silent`: it ended without a sound.
 * `lost`: no end came in time, or the connection closed.
 */
export const endings = ["answered", "apologized", "shed", "silent", "lost"] as const;
export type Ending = (typeof endings)[number];

/** The times of a turn, ms. Those that did not happen are missing. */
export interface TalkedTurn {
  readonly kind: TurnKind;
  readonly ending: Ending;
  /** From the end of the input, text or speech, to the transcript and to the first sound of the answer. */
  readonly transcript?: number | undefined;
  readonly firstSound?: number | undefined;
  /** From the end of the input, or the transcript before it, to the notice that the answer will be late or will not come. */
  readonly told?: number | undefined;
  /** From the abort to the last packet, or to the message that the reply has ended if that is later. */
  readonly silence?: number | undefined;
  /** The times between the packets of the answer. */
  readonly gaps: readonly number[];
}

/** An utterance in frames ready for the socket: speech, then the room until the server has heard enough. */
export interface Speech {
  /** Gives the n-th frame, from 0. */
  frame(n: number): Buffer;
  /** The number of frames up to the last one with a voice. */
  readonly voiced: number;
}

const frameMs = 60;
const abortAfterMs = 1200;
/** The time after an abort in which packets would still be heard. */
const echoMs = 250;
const lostMs = 20_000;
const typedText = "Please tell me what I should do with the rest of this day.";

/** The words with which the programs tell that a turn waits, that it will not be answered, and that something failed. */
const busyWords = /\bbusy\b/i;
const shedWords = /\btoo busy\b/i;
const apologyWords = /^(Sorry, something went wrong|I am sorry, I (cannot answer|lost my thread|did not understand))/;

/** A device that holds one turn after the other, as firmware does with a user who waits for the answer. */
export class Talker {
  readonly #device: LoadDevice;
  readonly #speech: Speech;
  #turn: Turn | undefined;

  constructor(device: LoadDevice, speech: Speech) {
    this.#device = device;
    this.#speech = speech;
    device.onText = (text) => this.#turn?.take(JSON.parse(text) as Told);
    device.onBinary = () => this.#turn?.hear();
    device.onClose = () => this.#turn?.finish("lost");
  }

  get isOpen(): boolean {
    return this.#device.open;
  }

  close(): void {
    this.#device.close();
  }

  /** Holds a turn and resolves with what happened. */
  async hold(kind: TurnKind): Promise<TalkedTurn> {
    const turn = new Turn(kind, this.#device, this.#speech);
    this.#turn = turn;
    const result = await turn.begin();
    this.#turn = undefined;
    return result;
  }
}

interface Told {
  readonly type?: string;
  readonly state?: string;
  readonly text?: string;
  readonly message?: string;
}

/** One turn: what the device does in it, and when what it waits for comes. */
class Turn {
  readonly #kind: TurnKind;
  readonly #device: LoadDevice;
  readonly #speech: Speech;
  readonly #gaps: number[] = [];
  readonly #ended: Promise<TalkedTurn>;
  #resolve: (turn: TalkedTurn) => void = () => undefined;
  #timers = new Set<NodeJS.Timeout>();
  #isOver = false;
  #isListening = false;
  #isSpeaking = false;
  /** The kind of sound that the packets carry. A gateway's own apology has no text. */
  #sentence: "answer" | "apology" | "notice" = "apology";
  #hasApology = false;
  #inputEnd: number | undefined;
  #transcriptAt: number | undefined;
  #toldAt: number | undefined;
  #isShed = false;
  #firstAt: number | undefined;
  #lastAt: number | undefined;
  #abortedAt: number | undefined;
  #silentAt: number | undefined;

  constructor(kind: TurnKind, device: LoadDevice, speech: Speech) {
    this.#kind = kind;
    this.#device = device;
    this.#speech = speech;
    this.#ended = new Promise((resolve) => (this.#resolve = resolve));
  }

  begin(): Promise<TalkedTurn> {
    if (this.#kind === "spoken") this.#speak();
    else {
      this.#send({ type: "listen", state: "detect", text: typedText });
      this.#endInput();
    }
    return this.#ended;
  }

  take({ type, state, text = "", message = "" }: Told): void {
    const now = performance.now();
    if (type === "stt") this.#transcriptAt ??= now;
    if (type === "alert") this.#takeAlert(message, now);
    if (type !== "tts") return;
    if (state === "start") {
      this.#isSpeaking = true;
      this.#isListening = false;
    }
    if (state === "sentence_start") this.#beginSentence(text);
    if (state === "stop" && this.#isSpeaking) this.#stop(now);
  }

  hear(): void {
    const now = performance.now();
    if (this.#abortedAt !== undefined) this.#silentAt = now;
    if (!this.#isSpeaking || this.#abortedAt !== undefined) return;
    if (this.#sentence === "notice") this.#toldAt ??= now;
    if (this.#sentence === "apology") this.#hasApology = true;
    if (this.#sentence !== "answer") return;
    if (this.#firstAt === undefined) {
      this.#firstAt = now;
      if (this.#kind === "aborted") this.#after(abortAfterMs, () => this.#abort());
    } else if (this.#lastAt !== undefined) this.#gaps.push(now - this.#lastAt);
    this.#lastAt = now;
  }

  finish(ending: Ending): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isListening = false;
    for (const timer of this.#timers) clearTimeout(timer);
    const since = (at: number | undefined, from: number | undefined) =>
      at === undefined || from === undefined ? undefined : at - from;
    const isHeard =
      this.#kind === "spoken" && this.#transcriptAt !== undefined && this.#transcriptAt < (this.#toldAt ?? 0);
    this.#resolve({
      kind: this.#kind,
      ending,
      transcript: this.#kind === "spoken" ? since(this.#transcriptAt, this.#inputEnd) : undefined,
      firstSound: since(this.#firstAt, this.#inputEnd),
      told: since(this.#toldAt, isHeard ? this.#transcriptAt : this.#inputEnd),
      silence: since(this.#silentAt, this.#abortedAt),
      gaps: this.#gaps,
    });
  }

  /** Takes the alert that shows a notice or an apology. Their words may come without a text. */
  #takeAlert(message: string, now: number): void {
    const isBusy = busyWords.test(message);
    if (isBusy) this.#toldAt ??= now;
    this.#isShed ||= shedWords.test(message);
    if (this.#firstAt === undefined) this.#sentence = isBusy ? "notice" : "apology";
  }

  #beginSentence(text: string): void {
    this.#isShed ||= shedWords.test(text);
    if (busyWords.test(text)) this.#sentence = "notice";
    else if (apologyWords.test(text)) this.#sentence = "apology";
    else this.#sentence = "answer";
    // What a notice or an apology interrupted is no gap in an answer.
    if (this.#sentence !== "answer") this.#lastAt = undefined;
  }

  #stop(now: number): void {
    this.#isSpeaking = false;
    if (this.#abortedAt !== undefined) {
      this.#silentAt = Math.max(now, this.#silentAt ?? 0);
      this.#after(echoMs, () => this.finish("answered"));
    } else if (this.#firstAt !== undefined) this.finish("answered");
    else if (this.#hasApology) this.finish("apologized");
    else if (this.#isShed) this.finish("shed");
    // After a notice the answer comes in a reply of its own.
    else if (this.#toldAt === undefined) this.finish("silent");
  }

  #abort(): void {
    // The answer may have ended before.
    if (!this.#isSpeaking) return;
    this.#abortedAt = performance.now();
    this.#send({ type: "abort" });
  }

  #speak(): void {
    this.#send({ type: "listen", state: "start", mode: "auto" });
    this.#isListening = true;
    const began = performance.now();
    const { frame, voiced } = this.#speech;
    let sent = 0;
    const tick = () => {
      for (; this.#isListening && began + (sent + 1) * frameMs <= performance.now(); sent += 1) {
        this.#device.sendEncoded(frame(sent));
        if (sent === voiced - 1) this.#endInput();
      }
      if (this.#isListening) this.#after(began + (sent + 1) * frameMs - performance.now(), tick);
    };
    this.#after(frameMs, tick);
  }

  #endInput(): void {
    this.#inputEnd = performance.now();
    this.#after(lostMs, () => this.#giveUp());
  }

  #giveUp(): void {
    if (this.#firstAt === undefined && this.#isShed) this.finish("shed");
    else this.finish("lost");
    if (this.#device.open) this.#send({ type: "abort" });
  }

  #after(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#isOver) act();
    }, ms);
    this.#timers.add(timer);
  }

  #send(message: object): void {
    this.#device.sendText(JSON.stringify({ session_id: this.#device.session, ...message }));
  }
}

/** Makes an utterance of samples at 16 kHz: Opus packets of 60 ms, and then those of a quiet room without end. */
export function makeSpeech(samples: Int16Array): Speech {
  const said = encodeSpeech(samples).map(encode);
  const noise = encodeSpeech(makeNoise());
  const last = noise.at(-1) ?? new Uint8Array();
  const room = noise.map(encode);
  const refresh = encode(last);
  // As libopus with discontinuous transmission: the first byte alone while it is quiet, and now and then a whole packet.
  const quiet = encode(last.subarray(0, 1));
  const isRefresh = (n: number) => (n - room.length) % refreshEvery === refreshEvery - 1;
  return {
    frame: (n) => said[n] ?? room[n - said.length] ?? (isRefresh(n - said.length) ? refresh : quiet),
    voiced: countVoiced(samples),
  };
}

const frameSamples = 960;
const refreshEvery = 7;
const noiseFrames = 4;
const noiseLevel = 20;
const voicedShareOfPeak = 0.05;

function encode(packet: Uint8Array): Buffer {
  return encodeMasked(2, Buffer.from(packet));
}

function makeNoise(): Int16Array {
  return Int16Array.from({ length: noiseFrames * frameSamples }, () =>
    Math.round((Math.random() - 0.5) * 2 * noiseLevel),
  );
}

/** Counts the frames up to the last one that is not silent, by its level. */
function countVoiced(samples: Int16Array): number {
  const levels = Array.from({ length: Math.ceil(samples.length / frameSamples) }, (_, n) => {
    const frame = samples.subarray(n * frameSamples, (n + 1) * frameSamples);
    return Math.sqrt(frame.reduce((sum, sample) => sum + sample * sample, 0) / frame.length);
  });
  const least = voicedShareOfPeak * Math.max(...levels);
  return levels.findLastIndex((level) => level >= least) + 1;
}

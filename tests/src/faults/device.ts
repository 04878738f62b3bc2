import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestDeviceOptions } from "@voxbus/testing";
import { openConnection, silence, type Connection } from "./connection.ts";
import { createEar, type Ear } from "./ear.ts";
import { plainHello } from "./guests.ts";
import type { References } from "./judge.ts";
import type { Question } from "./questions.ts";
import { openTurn, type OpenTurn, type TurnRecord } from "./turn.ts";

/** The way into a system. */
export interface Entrance {
  /** The gateways that devices connect to; if one does not answer, the next one. They may change. */
  readonly urls: readonly string[];
  /** Gives the headers of a device and the authority of the certificate, where a system asks for them. */
  readonly admit?: (id: string) => Promise<Pick<TestDeviceOptions, "headers" | "ca">>;
}

/** The behavior of a device. */
export interface DeviceOptions {
  readonly entrance: Entrance;
  readonly id: string;
  /** The index of the URL that it tries first. */
  readonly first: number;
  /** The questions it asks in turn, over and over. */
  readonly questions: readonly Question[];
  readonly references: References;
  /** The end of its speech: a button (manual) or silence (auto). */
  readonly mode: "auto" | "manual";
  /** Aborts each answer after this number of audio packets. */
  readonly abortAfter?: number;
}

/** A simulated device that talks over a real connection and records the answers. */
export interface Device {
  readonly id: string;
  /** Every turn so far; the last one may still run. */
  readonly turns: readonly TurnRecord[];
  /** Messages that must never come. */
  readonly strays: readonly { readonly at: number; readonly problem: string }[];
  /** The session of the open connection. */
  readonly session: string | undefined;
  /** Connects and talks until the signal is aborted. Resolves after the turn that runs then. */
  talk(signal: AbortSignal): Promise<void>;
}

const helloMs = 10_000;
const pauseMs = 400;
/** The length of a packet from a microphone (docs/protocol.md, audio parameters). */
const frameMs = 60;

/** Creates a device, which connects when it talks. */
export function createDevice(options: DeviceOptions): Device {
  return new TalkingDevice(options);
}

class TalkingDevice implements Device {
  readonly turns: TurnRecord[] = [];
  readonly strays: { at: number; problem: string }[] = [];
  readonly #options: DeviceOptions;
  #connection: Connection | undefined;
  #ear: Ear | undefined;
  #turn: OpenTurn | undefined;
  #asked = 0;
  #leaving = false;

  constructor(options: DeviceOptions) {
    this.#options = options;
  }

  get id(): string {
    return this.#options.id;
  }

  get session(): string | undefined {
    return this.#connection?.session;
  }

  async talk(signal: AbortSignal): Promise<void> {
    const { questions } = this.#options;
    this.#leaving = false;
    while (!signal.aborted) {
      await this.#reconnect(signal);
      if (signal.aborted) break;
      await this.#ask(questions[this.#asked++ % questions.length]!);
      await sleep(pauseMs * (0.5 + Math.random()));
    }
    // A message that is still on its way would count as a stray.
    await sleep(pauseMs);
    this.#leaving = true;
    this.#connection?.vanish();
  }

  async #ask(question: Question): Promise<void> {
    const turn = openTurn(this.id, question, this.#options.references);
    this.#turn = turn;
    this.turns.push(turn.record);
    if (question.packets) await this.#speak(turn, question.packets);
    else this.#connection?.send({ type: "listen", state: "detect", text: question.text });
    turn.endInput();
    await turn.ended;
  }

  async #speak(turn: OpenTurn, packets: readonly Uint8Array[]): Promise<void> {
    const { mode } = this.#options;
    const connection = this.#connection;
    const began = performance.now();
    connection?.send({ type: "listen", state: "start", mode });
    // The turn ends with its connection at the latest.
    for (let n = 0; !turn.over; n += 1) {
      await sleep(Math.max(0, began + n * frameMs - performance.now()));
      if (this.#ear?.speaking || turn.over) return;
      if (n === packets.length) {
        turn.endInput();
        if (mode === "manual") return this.#connection?.send({ type: "listen", state: "stop" });
      }
      connection?.send(packets[n] ?? silence);
    }
  }

  async #reconnect(signal: AbortSignal): Promise<void> {
    const { entrance, first } = this.#options;
    for (let tries = first; !this.#connection && !signal.aborted; tries += 1) {
      const { urls } = entrance;
      if (await this.#connect(urls[tries % urls.length]!)) return;
      await sleep(Math.min(2000, 100 * 2 ** (tries - first)) * (0.5 + Math.random() / 2));
    }
  }

  async #connect(url: string): Promise<boolean> {
    const ear = this.#openEar();
    let opened: Connection;
    try {
      const { headers, ...rest } = (await this.#options.entrance.admit?.(this.id)) ?? {};
      opened = await openConnection(url, {
        ...rest,
        id: this.id,
        headers: { "Client-Id": randomUUID(), "Protocol-Version": "1", ...headers },
        hello: plainHello,
        onReceived: (message) => ("json" in message ? ear.text(message.json) : ear.audio(message.binary)),
        timeoutMs: helloMs,
      });
    } catch {
      return false; // refused or closed: the next gateway
    }
    this.#connection = opened;
    this.#ear = ear;
    void opened.closed.then(({ code }) => {
      if (this.#connection !== opened) return;
      this.#connection = undefined;
      const turn = this.#turn;
      if (!this.#leaving) turn?.end("cut", `the connection closed with ${code} in "${turn.record.question}"`);
    });
    return true;
  }

  #openEar(): Ear {
    const stray = (problem: string) => void this.strays.push({ at: performance.now(), problem });
    const ear = createEar({
      started: () => (this.#turn && !this.#turn.over ? this.#turn.sign() : stray("an answer without a question")),
      sign: () => this.#turn?.sign(),
      sound: ({ soundAt }) => {
        this.#turn?.sound();
        if (soundAt.length !== this.#options.abortAfter) return;
        this.#turn?.abort();
        ear.abort();
        this.#connection?.send({ type: "abort" });
      },
      stopped: (exchange) => this.#turn?.stopped(exchange),
      stray,
    });
    return ear;
  }
}

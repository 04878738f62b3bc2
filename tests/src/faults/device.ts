import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeSpeech, openTestDevice, type TestDevice } from "@voxbus/testing";
import { createEar, type Ear } from "./ear.ts";
import { plainHello } from "./guests.ts";
import type { References } from "./judge.ts";
import type { Question } from "./questions.ts";
import { openTurn, type OpenTurn, type TurnRecord } from "./turn.ts";

/** What a device does all day. */
export interface DeviceOptions {
  readonly id: string;
  /** Where it connects; the next one when one does not answer. */
  readonly urls: readonly string[];
  /** Asked one after the other, over and over. */
  readonly questions: readonly Question[];
  readonly references: References;
  /** Ends what it says itself: by a button, or by falling silent. */
  readonly mode: "auto" | "manual";
  /** Cuts each answer after so many packets of sound. */
  readonly abortAfter?: number;
}

/** A simulated device that talks, over a real WebSocket, and notes what it hears. */
export interface Device {
  readonly id: string;
  /** Every turn so far; the last one may still go on. */
  readonly turns: readonly TurnRecord[];
  /** What came that must never come. */
  readonly strays: readonly { readonly at: number; readonly problem: string }[];
  /** The session of the open connection. */
  readonly session: string | undefined;
  /** Connects and talks until `signal` ends; resolves after the turn that goes on then. */
  talk(signal: AbortSignal): Promise<void>;
}

const helloMs = 10_000;
const pauseMs = 400;
/** The length of a packet from a microphone (docs/protocol.md, audio parameters). */
const frameMs = 60;
/** A packet of a quiet room. */
const silence = encodeSpeech(Int16Array.from({ length: 960 }, (_, i) => ((i * 7919) % 41) - 20))[0]!;

/** Creates a device; it connects when it shall talk. */
export function createDevice(options: DeviceOptions): Device {
  const { id, urls, questions, references, mode, abortAfter } = options;
  const turns: TurnRecord[] = [];
  const strays: { at: number; problem: string }[] = [];
  let connection: TestDevice | undefined;
  let ear: Ear | undefined;
  let turn: OpenTurn | undefined;
  let next = 0;
  let leaving = false;

  const send = (message: object) => connection?.send(message);

  const openEar = () => {
    const mine = createEar({
      started: () => (turn && !turn.over ? turn.sign() : stray("an answer when nothing was asked")),
      sign: () => turn?.sign(),
      sound: ({ soundAt }) => {
        turn?.sound();
        if (soundAt.length !== abortAfter) return;
        turn?.abort();
        mine.abort();
        send({ type: "abort" });
      },
      stopped: (exchange) => turn?.stopped(exchange),
      stray: (problem) => stray(problem),
    });
    return mine;
  };
  const stray = (problem: string) => {
    strays.push({ at: performance.now(), problem });
  };

  const connect = async (url: string): Promise<boolean> => {
    const mine = openEar();
    let opened: TestDevice;
    try {
      opened = await openTestDevice(url, {
        id,
        headers: { "Client-Id": randomUUID(), "Protocol-Version": "1" },
        hello: plainHello,
        onReceived: (message) => ("json" in message ? mine.text(message.json) : mine.audio(message.binary)),
        timeoutMs: helloMs,
      });
    } catch {
      return false; // refused, or gone: the next one
    }
    connection = opened;
    ear = mine;
    void opened.closed.then(({ code }) => {
      if (connection !== opened) return;
      connection = undefined;
      if (!leaving) turn?.end("cut", `the connection was closed with ${code} in "${turn.record.question}"`);
    });
    return true;
  };

  const speak = async (open: OpenTurn, packets: readonly Uint8Array[]) => {
    const mine = connection;
    const began = performance.now();
    send({ type: "listen", state: "start", mode });
    // The turn is over at the latest when its connection is.
    for (let n = 0; !open.over; n += 1) {
      await sleep(Math.max(0, began + n * frameMs - performance.now()));
      if (ear?.speaking || open.over) return;
      if (n === packets.length) {
        open.endInput();
        if (mode === "manual") return send({ type: "listen", state: "stop" });
      }
      mine?.send(packets[n] ?? silence);
    }
  };

  const ask = async (question: Question) => {
    turn = openTurn(id, question, references);
    turns.push(turn.record);
    if (question.packets) await speak(turn, question.packets);
    else send({ type: "listen", state: "detect", text: question.text });
    turn.endInput();
    await turn.ended;
  };

  const reconnect = async (signal: AbortSignal) => {
    if (connection) return;
    for (let tries = 0; !signal.aborted; tries += 1) {
      if (await connect(urls[tries % urls.length]!)) return;
      await sleep(Math.min(2000, 100 * 2 ** tries) * (0.5 + Math.random() / 2));
    }
  };

  return {
    id,
    turns,
    strays,
    get session() {
      return connection?.session;
    },
    async talk(signal) {
      leaving = false;
      while (!signal.aborted) {
        await reconnect(signal);
        if (signal.aborted) break;
        await ask(questions[next++ % questions.length]!);
        await sleep(pauseMs * (0.5 + Math.random()));
      }
      // What is still on its way would be a stray.
      await sleep(pauseMs);
      leaving = true;
      connection?.vanish();
    },
  };
}

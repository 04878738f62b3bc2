import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { createEar, type Ear } from "./ear.ts";
import type { References } from "./judge.ts";
import type { Question } from "./questions.ts";
import { encodeSilence, frameMs } from "./speech.ts";
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
  /** When and why connections ended that the device did not end. */
  readonly cuts: readonly { readonly at: number; readonly code: number }[];
  /** When it got a hello. */
  readonly connects: readonly number[];
  /** The session of the open connection. */
  readonly session: string | undefined;
  readonly socket: WebSocket | undefined;
  /** Connects and talks until `signal` ends; resolves after the turn that goes on then. */
  talk(signal: AbortSignal): Promise<void>;
  /** Drops the connection without a word, as stock firmware does. */
  drop(): void;
}

const helloMs = 10_000;
const pauseMs = 400;
const silence = encodeSilence();

/** Creates a device; it connects when it shall talk. */
export function createDevice(options: DeviceOptions): Device {
  const { id, urls, questions, references, mode, abortAfter } = options;
  const turns: TurnRecord[] = [];
  const strays: { at: number; problem: string }[] = [];
  const cuts: { at: number; code: number }[] = [];
  const connects: number[] = [];
  let socket: WebSocket | undefined;
  let session: string | undefined;
  let ear: Ear | undefined;
  let turn: OpenTurn | undefined;
  let next = 0;
  let leaving = false;

  const send = (message: object) => socket?.send(JSON.stringify(message));

  const listenTo = (opened: WebSocket) => {
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
    ear = mine;
    opened.on("message", (data: Buffer, isBinary) => {
      if (isBinary) return mine.audio(data);
      const message = JSON.parse(data.toString()) as Readonly<Record<string, unknown>>;
      if (message["type"] === "hello") session = String(message["session_id"]);
      mine.text(message);
    });
  };
  const stray = (problem: string) => {
    strays.push({ at: performance.now(), problem });
  };

  const connect = async (url: string): Promise<boolean> => {
    const opened = new WebSocket(url, {
      headers: { "Device-Id": id, "Client-Id": randomUUID(), "Protocol-Version": "1" },
      perMessageDeflate: false,
      handshakeTimeout: helloMs,
    });
    const ready = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => opened.terminate(), helloMs);
      listenTo(opened);
      opened.on("open", () => opened.send('{"type":"hello","version":1,"features":{},"transport":"websocket"}'));
      opened.once("message", () => {
        clearTimeout(timer);
        resolve(true);
      });
      // A close follows, and says the same.
      opened.on("error", () => clearTimeout(timer));
      opened.on("close", (code) => {
        clearTimeout(timer);
        resolve(false);
        if (socket !== opened) return;
        socket = undefined;
        session = undefined;
        if (leaving) return;
        cuts.push({ at: performance.now(), code });
        turn?.end("cut", `the connection was closed with ${code} in "${turn.record.question}"`);
      });
    });
    if (!ready) return false;
    socket = opened;
    connects.push(performance.now());
    return true;
  };

  const speak = async (open: OpenTurn, packets: readonly Uint8Array[]) => {
    const mine = socket;
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
    if (socket) return;
    for (let tries = 0; !signal.aborted; tries += 1) {
      if (await connect(urls[tries % urls.length]!)) return;
      await sleep(Math.min(2000, 100 * 2 ** tries) * (0.5 + Math.random() / 2));
    }
  };

  return {
    id,
    turns,
    strays,
    cuts,
    connects,
    get session() {
      return session;
    },
    get socket() {
      return socket;
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
      socket?.terminate();
    },
    drop: () => socket?.terminate(),
  };
}

import { closeCodes } from "@voxbus/protocol";
import { effect, signal, type Signal } from "@preact/signals";
import type { GatewayDoor } from "../../src/live/live.ts";
import { openDeviceSocket, type DeviceSocket, type Message } from "./device-socket.ts";
import { findDoor } from "./server-address.ts";
import type { Exchange } from "./exchange.ts";
import { reconnectsAfter } from "./reconnect.ts";
import { openMicrophone, type Microphone } from "./microphone.ts";
import { openSpeaker, type Speaker } from "./speaker.ts";
import { createTools, type Room } from "./tools.ts";
import { TroubleError, type TroubleName } from "./trouble.ts";

/** What goes on: not connected, connecting, connected and quiet, hearing the user, waiting for an answer, speaking. */
export type Phase = "off" | "connecting" | "quiet" | "listening" | "thinking" | "speaking";

/** All that Talk shows. */
export interface Talk {
  readonly phase: Phase;
  readonly trouble?: TroubleName | undefined;
  /** Whether answers can be heard here; undefined before it was tried. */
  readonly audible?: boolean | undefined;
  readonly microphone: boolean;
  readonly emotion: string;
  readonly subtitle: string;
  readonly exchanges: readonly Exchange[];
  readonly rtt?: number | undefined;
}

/** This browser as a device, for as long as the page lives. */
export interface Conversation {
  readonly state: Signal<Talk>;
  readonly room: Signal<Room>;
  /** Sound levels, called many times a second: of the microphone and of the answer, 0 to 1. */
  onLevel(listener: (microphone: number, answer: number) => void): () => void;
  /** Opens the microphone and listens. */
  listen(): Promise<void>;
  /** Closes the microphone; what is being said goes on. */
  hush(): void;
  /** Ends what is being thought or said, at once. */
  stop(): void;
  /** Asks in writing. */
  type(text: string): Promise<void>;
  /** Whether the user may speak into an answer. */
  setInterruptible(yes: boolean): void;
}

const maxExchanges = 50;
const retryMs = [500, 1000, 2000, 4000, 8000];

/** Creates the conversation; it connects when it is first needed. */
export function createConversation(options: {
  readonly device: string;
  readonly doors: () => readonly GatewayDoor[];
}): Conversation {
  const state = signal<Talk>({ phase: "off", microphone: false, emotion: "neutral", subtitle: "", exchanges: [] });
  const levels = new Set<(microphone: number, answer: number) => void>();
  const { room, answer } = createTools();
  let socket: DeviceSocket | undefined;
  let connecting: Promise<DeviceSocket> | undefined;
  let microphone: Microphone | undefined;
  let speaker: Speaker | undefined;
  let interruptible = false;
  let voiceAt: number | undefined;
  let nextId = 1;
  /** Counts what was asked and begun to be said, so that the end of an older one does nothing. */
  let saying = 0;
  /** Whether a `tts/stop` ends what is shown now, and not something before it. */
  let ending = false;
  /** Whether a listen is open that lasts through the answers. */
  let lasting = false;

  const change = (part: Partial<Talk>) => (state.value = { ...state.value, ...part });
  const tellLevels = (input: number, output: number) => levels.forEach((listener) => listener(input, output));
  const isListening = () => state.value.phase === "listening";

  const current = () => state.value.exchanges.at(-1);
  const begin = (exchange: Omit<Exchange, "id" | "said">) => {
    const exchanges = [...state.value.exchanges, { ...exchange, id: nextId++, said: [] }].slice(-maxExchanges);
    change({ exchanges });
  };
  const amend = (part: (exchange: Exchange) => Partial<Exchange>) => {
    const { exchanges } = state.value;
    const last = exchanges.at(-1);
    if (last && last.endedAt === undefined)
      change({ exchanges: [...exchanges.slice(0, -1), { ...last, ...part(last) }] });
  };
  const isOpen = () => current() !== undefined && current()?.endedAt === undefined;

  const settle = () => {
    if (microphone && socket) {
      // A new start would cut off whoever speaks already.
      if (!lasting) socket.send({ type: "listen", state: "start", mode: interruptible ? "realtime" : "auto" });
      lasting = interruptible;
      voiceAt = undefined;
      change({ phase: "listening" });
    } else change({ phase: socket ? "quiet" : "off" });
  };

  const end = (part: Partial<Exchange> = {}) => amend(() => ({ endedAt: performance.now(), ...part }));

  const handlers: Readonly<Record<string, (message: Message) => void>> = {
    stt({ text }) {
      const heardAt = performance.now();
      if (isOpen() && current()?.typed && current()?.heardAt === undefined) amend(() => ({ heardAt }));
      else {
        end();
        begin({ asked: String(text), typed: false, askedAt: voiceAt, heardAt });
      }
      change({ phase: "thinking", subtitle: "" });
    },
    llm: ({ emotion }) => change({ emotion: String(emotion) }),
    tts({ state: step, text }) {
      if (step === "start") {
        saying += 1;
        ending = true;
        if (!isOpen()) begin({ typed: false, askedAt: voiceAt });
        change({ phase: "thinking" });
      } else if (step === "sentence_start" && typeof text === "string") {
        const now = performance.now();
        amend(({ said, thoughtAt }) => ({ said: [...said, text], thoughtAt: thoughtAt ?? now }));
        change({ subtitle: text, ...(speaker ? {} : { phase: "speaking" as const }) });
      } else if (step === "stop" && ending) {
        ending = false;
        void finish(saying);
      }
    },
    alert({ message, emotion }) {
      change({ emotion: String(emotion), subtitle: String(message) });
      if (isOpen()) amend(() => ({ alert: String(message) }));
      else begin({ typed: false, alert: String(message), endedAt: performance.now() });
    },
    mcp({ payload }) {
      const reply = answer(payload as Record<string, unknown>);
      if (reply) socket?.send({ type: "mcp", payload: reply });
    },
  };

  const finish = async (which: number) => {
    await speaker?.finish();
    if (which !== saying) return;
    end();
    tellLevels(0, 0);
    change({ emotion: "neutral" });
    settle();
  };

  const closed = async (code: number) => {
    socket = undefined;
    end();
    speaker?.clear();
    if (reconnectsAfter(code)) {
      for (const pause of retryMs) {
        change({ phase: "connecting", trouble: "lost" });
        await new Promise((resolve) => setTimeout(resolve, pause));
        try {
          await connect();
          return settle();
        } catch {
          continue; // the next try says what is wrong, if it is the last
        }
      }
    }
    closeMicrophone();
    change({
      phase: "off",
      trouble: code === closeCodes.replaced.code ? "replaced" : code === closeCodes.done.code ? undefined : "lost",
    });
  };

  const open = async (): Promise<DeviceSocket> => {
    const door = await findDoor(options.doors(), options.device);
    socket = await openDeviceSocket(door, options.device, {
      message: (message) => handlers[message.type]?.(message),
      audio: (packet) => speaker?.play(packet),
      rtt: (rtt) => change({ rtt }),
      closed: (code) => void closed(code),
    });
    lasting = false;
    change({ trouble: undefined });
    return socket;
  };

  const connect = async (): Promise<DeviceSocket> => {
    if (socket) return socket;
    change({ phase: "connecting", trouble: undefined });
    connecting ??= open().finally(() => (connecting = undefined));
    return connecting;
  };

  const prepareSpeaker = async () => {
    if (speaker) return;
    try {
      speaker = await openSpeaker({
        sound() {
          change({ phase: "speaking" });
          amend(({ soundAt }) => ({ soundAt: soundAt ?? performance.now() }));
        },
        level: (rms) => tellLevels(0, rms),
      });
      speaker.setVolume(room.value.volume);
      change({ audible: true });
    } catch (error) {
      if (!(error instanceof TroubleError)) throw error;
      change({ audible: false });
    }
  };
  effect(() => {
    const { volume } = room.value;
    speaker?.setVolume(volume);
  });

  const closeMicrophone = () => {
    microphone?.close();
    microphone = undefined;
    change({ microphone: false });
    tellLevels(0, 0);
  };

  /** Runs what a click began; whatever is missing is shown. */
  const attempt = async (work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof TroubleError)) throw error;
      const connectedStill = socket !== undefined;
      if (!connectedStill) closeMicrophone();
      change({ phase: connectedStill ? "quiet" : "off", trouble: error.trouble });
    }
  };

  return {
    state,
    room,
    onLevel(listener) {
      levels.add(listener);
      return () => void levels.delete(listener);
    },
    listen: () =>
      attempt(async () => {
        change({ trouble: undefined });
        await prepareSpeaker();
        microphone ??= await openMicrophone({
          packet: (packet) => {
            const { phase } = state.value;
            const spoken = phase === "thinking" || phase === "speaking";
            if (phase === "listening" || (interruptible && spoken)) socket?.sendAudio(packet);
          },
          level: (rms, voice) => {
            if (!isListening()) return;
            if (voice) voiceAt = performance.now();
            tellLevels(rms, 0);
          },
          lost: () => {
            closeMicrophone();
            change({ trouble: "no-microphone", phase: socket ? "quiet" : "off" });
          },
        });
        change({ microphone: true });
        await connect();
        settle();
      }),
    hush() {
      closeMicrophone();
      lasting = false;
      if (!isListening()) return;
      socket?.send({ type: "abort" });
      change({ phase: "quiet" });
    },
    stop() {
      ending = true;
      lasting = false;
      socket?.send({ type: "abort" });
      end({ stopped: true });
      speaker?.clear();
      tellLevels(0, 0);
    },
    type: (text) =>
      attempt(async () => {
        await prepareSpeaker();
        if (socket?.spoken()) {
          // After a packet `listen/detect` would be a wake word: only a new session takes typed text.
          socket.close();
          socket = undefined;
        }
        saying += 1;
        ending = false;
        speaker?.clear();
        const session = await connect();
        end();
        begin({ asked: text, typed: true, askedAt: performance.now() });
        change({ phase: "thinking", subtitle: "" });
        session.send({ type: "listen", state: "detect", text });
      }),
    setInterruptible(yes) {
      interruptible = yes;
      lasting = false;
      if (isListening()) settle();
    },
  };
}

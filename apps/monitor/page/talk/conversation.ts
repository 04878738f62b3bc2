import { computed, signal, type ReadonlySignal } from "@preact/signals";
import { closeCodes, type ReceivedMessage, type ServerMessageType } from "@voxbus/protocol";
import type { GatewayAddress } from "../../src/live/live.ts";
import { createAudioDevices } from "./audio-devices.ts";
import { reconnectsAfter } from "./close-codes.ts";
import { createDeviceTools } from "./device-tools.ts";
import { createExchangeLog } from "./exchange-log.ts";
import { createConnection } from "./gateway-connection.ts";
import type { DeviceIdentity } from "./gateway-endpoint.ts";
import { TalkError, type TalkErrorName } from "./talk-error.ts";

/** The close codes after which the page does not connect again, for a reason that it can name. */
const endings: ReadonlyMap<number, TalkErrorName> = new Map([
  [closeCodes.replaced.code, "replaced"],
  [closeCodes.disabled.code, "disabled"],
]);

/** Activity of an open session: waiting for the user, hearing the user, waiting for an answer, playing an answer. */
type Activity = "ready" | "listening" | "thinking" | "speaking";
/** State of the conversation; `off` means not connected, `activating` that an operator has to let this browser in. */
export type Phase = "off" | "connecting" | "activating" | Activity;

type Message<T extends ServerMessageType> = Extract<ReceivedMessage, { readonly type: T }>;
type Handlers = { readonly [T in ServerMessageType]?: (message: Message<T>) => void };

/** This browser as a device, for as long as the page lives. It connects when it is first needed. */
export class Conversation {
  readonly #activity = signal<Activity>("ready");
  readonly #error = signal<TalkErrorName | undefined>(undefined);
  readonly #emotion = signal("neutral");
  readonly #subtitle = signal("");
  readonly #unsent = signal(false);
  readonly #log = createExchangeLog();
  readonly #tools = createDeviceTools();
  readonly #connection;
  #isInterruptible = false;
  /** True while a listen is open that lasts through answers. */
  #isRealtime = false;
  #voiceAt: number | undefined;
  /** Number of the newest answer. The end of an older one has no effect. */
  #answerNumber = 0;
  /** True while the next `tts/stop` belongs to the answer that is shown. */
  #expectsStop = false;

  readonly #audio = createAudioDevices(this.#tools.volume, {
    onPacket: (packet) => {
      const phase = this.phase.value;
      const isAnswering = phase === "thinking" || phase === "speaking";
      if (phase === "listening" || (this.#isInterruptible && isAnswering)) this.#connection.sendAudio(packet);
    },
    onVoice: () => {
      if (this.#isListening()) this.#voiceAt = performance.now();
    },
    onLost: () => {
      this.#error.value = "no-microphone";
      this.#activity.value = "ready";
    },
    onSound: () => {
      this.#activity.value = "speaking";
      this.#log.amend(({ firstSoundAt = performance.now() }) => ({ firstSoundAt }));
    },
  });

  /** The question in the field. It stays there until it is sent. */
  readonly draft = signal("");
  /** True while the question in the field could not be sent. */
  readonly unsent: ReadonlySignal<boolean> = this.#unsent;
  readonly error: ReadonlySignal<TalkErrorName | undefined> = this.#error;
  readonly emotion: ReadonlySignal<string> = this.#emotion;
  readonly subtitle: ReadonlySignal<string> = this.#subtitle;
  readonly exchanges = this.#log.exchanges;
  readonly lamp = this.#tools.lamp;
  readonly hasMicrophone = this.#audio.hasMicrophone;
  readonly isAudible = this.#audio.isAudible;
  readonly microphoneLevel = this.#audio.microphoneLevel;
  readonly speakerLevel = this.#audio.speakerLevel;
  readonly rtt: ReadonlySignal<number | undefined>;
  /** The code with which an operator lets this browser in. */
  readonly code: ReadonlySignal<string | undefined>;
  readonly phase: ReadonlySignal<Phase>;

  constructor(options: { readonly identity: DeviceIdentity; readonly gateways: () => readonly GatewayAddress[] }) {
    const connection = createConnection({
      ...options,
      listeners: {
        onOpen: () => {
          this.#isRealtime = false;
          this.#error.value = undefined;
        },
        onMessage: (message) => this.#handle(message),
        onAudio: (packet) => this.#audio.play(packet),
        onClose: (code) => void this.#recover(code),
      },
    });
    this.#connection = connection;
    this.rtt = connection.rtt;
    this.code = connection.code;
    this.phase = computed(() => {
      const state = connection.state.value;
      if (state === "open") return this.#activity.value;
      if (connection.code.value !== undefined) return "activating";
      return state === "closed" ? "off" : state;
    });
  }

  /** Opens the microphone and listens. */
  async listen(): Promise<void> {
    await this.#attempt(async () => {
      await this.#audio.openSpeaker();
      await this.#audio.openMicrophone();
      await this.#connection.open();
      this.#settle();
    });
  }

  /** Ends the wait for an operator. */
  giveUp(): void {
    this.#connection.giveUp();
  }

  /** Closes the microphone. An answer plays on. */
  pause(): void {
    const wasListening = this.#isListening();
    this.#audio.closeMicrophone();
    this.#isRealtime = false;
    if (!wasListening) return;
    this.#connection.send({ type: "abort" });
    this.#activity.value = "ready";
  }

  /** Stops the answer at once. */
  stop(): void {
    this.#expectsStop = true;
    this.#isRealtime = false;
    this.#connection.send({ type: "abort" });
    this.#log.end({ isStopped: true });
    this.#audio.clear();
  }

  /** Asks a typed question, once this browser is connected. If that fails, the question is in the field. */
  async ask(text: string): Promise<void> {
    this.draft.value = text;
    this.#unsent.value = false;
    const isSent = await this.#attempt(async () => {
      await this.#audio.openSpeaker();
      await this.#connection.open();
      // A later question took its place, or the user has changed it.
      if (this.draft.value !== text) return;
      this.draft.value = "";
      this.#answerNumber += 1;
      this.#expectsStop = false;
      this.#audio.clear();
      this.#log.end();
      this.#log.begin({ question: text, isTyped: true, askedAt: performance.now() });
      this.#sendQuestion(text);
    });
    this.#unsent.value = !isSent;
  }

  #sendQuestion(text: string): void {
    this.#activity.value = "thinking";
    this.#subtitle.value = "";
    this.#connection.send({ type: "listen", state: "detect", text });
  }

  /** Allows or forbids the user to interrupt an answer by speaking. */
  setInterruptible(isInterruptible: boolean): void {
    this.#isInterruptible = isInterruptible;
    this.#isRealtime = false;
    if (this.#isListening()) this.#settle();
  }

  /** Runs an action of the user and shows what prevents it. Resolves with false if something did. */
  async #attempt(action: () => Promise<void>): Promise<boolean> {
    this.#error.value = undefined;
    try {
      await action();
      return true;
    } catch (error) {
      if (!(error instanceof TalkError)) throw error;
      if (!this.#isConnected()) this.#audio.closeMicrophone();
      this.#activity.value = "ready";
      this.#error.value = error.reason;
      return false;
    }
  }

  #isConnected(): boolean {
    return this.#connection.state.value === "open";
  }

  #isListening(): boolean {
    return this.phase.value === "listening";
  }

  /** Listens again if the microphone is open. */
  #settle(): void {
    if (!this.hasMicrophone.value || !this.#isConnected()) {
      this.#activity.value = "ready";
      return;
    }
    // A new start would cut off a user who is already speaking.
    if (!this.#isRealtime) {
      this.#connection.send({ type: "listen", state: "start", mode: this.#isInterruptible ? "realtime" : "auto" });
    }
    this.#isRealtime = this.#isInterruptible;
    this.#voiceAt = undefined;
    this.#activity.value = "listening";
  }

  readonly #handlers: Handlers = {
    stt: ({ text }) => this.#showTranscript(text),
    llm: ({ emotion }) => (this.#emotion.value = emotion),
    tts: (message) => this.#showAnswer(message),
    alert: ({ message, emotion }) => {
      this.#emotion.value = emotion;
      this.#subtitle.value = message;
      if (this.#log.open()) this.#log.amend(() => ({ alert: message }));
      else this.#log.begin({ isTyped: false, alert: message, endedAt: performance.now() });
    },
    mcp: ({ payload }) => {
      const answer = this.#tools.answer(payload);
      if (answer) this.#connection.send({ type: "mcp", payload: answer });
    },
  };

  #handle(message: ReceivedMessage): void {
    if (!Object.hasOwn(this.#handlers, message.type)) return;
    (this.#handlers[message.type] as ((message: ReceivedMessage) => void) | undefined)?.(message);
  }

  #showTranscript(text: string): void {
    const transcribedAt = performance.now();
    const open = this.#log.open();
    if (open?.isTyped && open.transcribedAt === undefined) this.#log.amend(() => ({ transcribedAt }));
    else {
      this.#log.end();
      this.#log.begin({ question: text, isTyped: false, askedAt: this.#voiceAt, transcribedAt });
    }
    this.#activity.value = "thinking";
    this.#subtitle.value = "";
  }

  #showAnswer({ state, text }: Message<"tts">): void {
    if (state === "start") {
      this.#answerNumber += 1;
      this.#expectsStop = true;
      if (!this.#log.open()) this.#log.begin({ isTyped: false, askedAt: this.#voiceAt });
      this.#activity.value = "thinking";
    } else if (state === "sentence_start" && text !== undefined) {
      const now = performance.now();
      this.#log.amend(({ answer, firstSentenceAt = now }) => ({ answer: [...answer, text], firstSentenceAt }));
      this.#subtitle.value = text;
      if (!this.isAudible.value) this.#activity.value = "speaking";
    } else if (state === "stop" && this.#expectsStop) {
      this.#expectsStop = false;
      void this.#finishAnswer(this.#answerNumber);
    }
  }

  async #finishAnswer(number: number): Promise<void> {
    await this.#audio.finish();
    if (number !== this.#answerNumber) return;
    this.#log.end();
    this.#emotion.value = "neutral";
    this.#settle();
  }

  async #recover(code: number): Promise<void> {
    const open = this.#log.open();
    // The gateway echoes a question at once. Without the echo it has not taken it.
    const lost = open?.isTyped && open.transcribedAt === undefined ? open.question : undefined;
    if (lost === undefined) this.#log.end();
    this.#audio.clear();
    let ending: TalkErrorName = "stayed-lost";
    if (reconnectsAfter(code)) {
      this.#error.value = "lost";
      try {
        await this.#connection.reopen();
        // A newer question takes the place of the lost one.
        const isStillOpen = lost !== undefined && this.#log.open()?.id === open?.id;
        return isStillOpen ? this.#sendQuestion(lost) : this.#settle();
      } catch (error) {
        if (!(error instanceof TalkError)) throw error;
        if (error.reason === "not-let-in") ending = error.reason;
      }
    }
    this.#log.end();
    if (lost !== undefined) {
      this.draft.value ||= lost;
      this.#unsent.value = true;
    }
    this.#audio.closeMicrophone();
    if (code === closeCodes.done.code) this.#error.value = undefined;
    else this.#error.value = endings.get(code) ?? ending;
  }
}

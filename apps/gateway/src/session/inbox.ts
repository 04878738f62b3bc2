import type { Trace } from "@voxbus/bus";
import {
  parseDeviceMessage,
  ProtocolError,
  type DeviceMessage,
  type DropReason,
  type InControl,
  type ListenMode,
  type OutControl,
  type Profile,
} from "@voxbus/protocol";
import { fixedLimits } from "../limits.ts";
import type { Counters } from "../observe/counters.ts";
import type { TurnObserver } from "../observe/turns.ts";
import type { Clock } from "../playout/clock.ts";
import type { Farewell } from "../playout/farewell.ts";
import type { Playout } from "../playout/playout.ts";
import type { ShownReplies } from "../playout/shown-replies.ts";
import type { Uplink } from "../uplink/uplink.ts";
import { ListenWatch } from "./listen-watch.ts";
import type { Outbox } from "./outbox.ts";
import type { Receipts } from "./receipts.ts";
import type { Transport } from "./transport.ts";
import type { TurnLimit } from "./turn-limit.ts";
import { isWakeWord } from "./wake-words.ts";

type Message<T extends DeviceMessage["type"]> = Extract<DeviceMessage, { type: T }>;
type DeviceHello = Message<"hello">;

type Handlers = {
  readonly [T in Exclude<DeviceMessage["type"], "hello">]: (inbox: Inbox, message: Message<T>) => void;
};

/** Dependencies of an inbox. */
export interface InboxDeps {
  readonly gateway: string;
  readonly clock: Pick<Clock, "now">;
  readonly counters: Counters;
  readonly profile: () => Profile;
  readonly turns: TurnObserver;
  readonly parts: SessionParts;
  /** Called once for each field of the device's messages that is left out because it is malformed. */
  readonly onLeftOut: (field: string) => void;
}

/** The parts of a session that its inbox directs. */
export interface SessionParts {
  readonly uplink: Uplink;
  readonly playout: Playout;
  readonly farewell: Farewell;
  readonly outbox: Outbox;
  readonly transport: Transport;
  readonly turnLimit: TurnLimit;
  readonly channel: { close(): void };
  /** The parts that are there already. */
  readonly used: {
    readonly playout: Playout | undefined;
    readonly farewell: Farewell | undefined;
    readonly shown: ShownReplies | undefined;
    readonly receipts: Receipts | undefined;
  };
  readonly shown: ShownReplies;
  readonly drops: Counters["drops"];
  /** Finds out whether an idle device got what was written last. */
  askForReceipt(reply: string | undefined): void;
}

/** Takes one device's frames in: parses them, publishes them, and directs play-out. */
export class Inbox {
  readonly #deps: InboxDeps;
  #leftOut: Set<string> | undefined;
  /** The mode of the listen that is open on the device: from its start to its stop. */
  #mode: ListenMode | undefined;
  #watch: ListenWatch | undefined;
  /** Audio came outside of a listen, as in front of a wake word. */
  #audioBeforeListen = false;
  /** The text of a `detect` right after such audio: a wake word if a listen starts now, and typed otherwise. */
  #undecided: { readonly text: string; readonly at: number } | undefined;
  /** A listen that waits because the device has no turns left. */
  #waitingListen: ListenMode | undefined;

  constructor(deps: InboxDeps) {
    this.#deps = deps;
  }

  /** True while a listen is open on the device. */
  get isListening(): boolean {
    return this.#mode !== undefined;
  }

  /** Takes a binary message of an open session. */
  audio(data: Buffer): void {
    const { counters, parts } = this.#deps;
    counters.received.audio += 1;
    counters.receivedBytes.audio += data.byteLength;
    const packet = parts.transport.decode(data);
    if (typeof packet === "string") return this.#drop(packet);
    this.#audioBeforeListen ||= this.#mode === undefined;
    if (this.#waitingListen) return this.#drop("turn-rate");
    parts.uplink.send({ kind: "audio", body: packet });
  }

  /**
   * Takes a text message. Gives back a hello, which opens the session, and acts on everything else. `isOpen`: the hello
   * was answered.
   */
  text(text: string, isOpen: boolean): DeviceHello | undefined {
    const { counters, parts } = this.#deps;
    counters.receivedBytes.text += text.length;
    const message = this.#parse(text);
    if (!message) return undefined;
    const isExpected = message.type === "hello" ? !isOpen || parts.transport.reachesIdle : isOpen;
    if (!isExpected) return this.#drop(isOpen ? "second-hello" : "before-hello");
    counters.received.control += 1;
    if (message.type === "hello") return message;
    // Firmware that was led astray listens without a channel. Nothing would come of it.
    if (!parts.transport.hasAudio && (message.type === "listen" || message.type === "abort"))
      return this.#drop("no-channel");
    (Inbox.#handlers[message.type] as (inbox: Inbox, message: DeviceMessage) => void)(this, message);
    if (parts.uplink.overflowed) parts.outbox.close("overloaded");
    return undefined;
  }

  #parse(text: string): DeviceMessage | undefined {
    try {
      return parseDeviceMessage(text, (field) => this.#leaveOut(field)) ?? this.#drop("unknown-type");
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return this.#drop("malformed");
    }
  }

  static readonly #handlers: Handlers = {
    listen: (inbox, message) => inbox.#listen(message),
    abort: (inbox, message) => inbox.#abort(message.reason),
    mcp(inbox, { payload }) {
      if (!inbox.#deps.parts.used.receipts?.answered(payload)) inbox.#publish({ type: "mcp", payload });
    },
    iot: (inbox, { descriptors, states }) =>
      inbox.#publish({ type: "iot", ...(descriptors ? { descriptors } : {}), ...(states ? { states } : {}) }),
    goodbye(inbox) {
      const { transport, channel, outbox } = inbox.#deps.parts;
      inbox.#publish({ type: "goodbye" });
      if (transport.reachesIdle) channel.close();
      else outbox.close("done");
    },
    ping(inbox) {
      const timestamp = new Date().toISOString().slice(0, 19).replace("T", " ");
      inbox.#deps.parts.outbox.writeText({ type: "pong", timestamp });
    },
  };

  #publish(body: InControl): void {
    this.#deps.parts.uplink.send({ kind: "control", body });
  }

  /** Listen in its three states (docs/protocol.md, listen). */
  #listen(message: Message<"listen">): void {
    const { parts } = this.#deps;
    const { uplink, farewell, turnLimit } = parts;
    this.#decide(message.state === "start");
    if (message.state === "detect") return this.#detect(message.text.trim());
    this.#waitingListen = undefined;
    this.#audioBeforeListen = false;
    (this.#watch ??= new ListenWatch()).start();
    if (message.state === "start") {
      this.#mode = message.mode;
      farewell.userActed();
      if (turnLimit.listen()) this.#startListen(message.mode);
      else this.#waitingListen = message.mode;
    } else {
      this.#mode = undefined;
      const mark = farewell.listening ? "stopped" : undefined;
      farewell.listening = false;
      const seq = uplink.send({ kind: "control", body: { type: "stop" } }, mark);
      if (mark && seq !== undefined) parts.playout.stopped(seq);
    }
  }

  #startListen(mode: ListenMode): void {
    const { turns, parts } = this.#deps;
    this.#waitingListen = undefined;
    parts.farewell.listening = true;
    this.#openListen(mode, turns.listening(mode));
    // With a button the user speaks already.
    if (mode !== "manual") parts.farewell.greet();
  }

  #openListen(mode: ListenMode, trace?: Trace): void {
    const { gateway, parts } = this.#deps;
    const seq = parts.uplink.send({ kind: "control", body: { type: "listen", mode, gateway } }, undefined, trace);
    this.#watch?.opened(seq);
  }

  /** Takes a sign of the recognizer that follows the listen. */
  listening(sign: Extract<OutControl, { type: "listening" }>): void {
    if (this.#watch?.sign(sign, this.#deps.clock.now()) && this.#mode) this.#openListen(this.#mode);
  }

  /**
   * Starts a listen that has waited for a turn, opens one again that no recognizer follows any more, and takes text as typed
   * that no listen followed. Called now and then.
   */
  check(): void {
    if (this.#waitingListen && this.#deps.parts.turnLimit.listenLate()) this.#startListen(this.#waitingListen);
    if (this.#mode && this.#watch?.isAbandoned(this.#deps.clock.now())) this.#openListen(this.#mode);
    if (this.#undecided && this.#deps.clock.now() - this.#undecided.at >= fixedLimits.wakeMs) this.#decide(false);
  }

  /** A wake word, or text that the user typed (docs/protocol.md, wake word or typed text). */
  #detect(text: string): void {
    if (text === "" || isWakeWord(text, this.#deps.profile().wakeWords)) return this.#publish({ type: "wake", text });
    if (this.#audioBeforeListen) this.#undecided = { text, at: this.#deps.clock.now() };
    else this.#type(text);
  }

  /** Decides about the text of a `detect` that followed audio. */
  #decide(isWake: boolean): void {
    const text = this.#undecided?.text;
    if (text === undefined) return;
    this.#undecided = undefined;
    this.#audioBeforeListen = false;
    if (isWake) this.#publish({ type: "wake", text });
    else this.#type(text);
  }

  #type(text: string): void {
    const { counters, turns, parts } = this.#deps;
    counters.received.text += 1;
    if (!parts.turnLimit.type()) return;
    const seq = parts.uplink.send({ kind: "text", body: text }, "typed", turns.typing());
    if (seq !== undefined) this.#typed(seq, text);
  }

  #typed(seq: number, text: string): void {
    const { turns, parts } = this.#deps;
    turns.typed(seq);
    parts.farewell.userAsked();
    parts.playout.typed(seq, text);
  }

  /** The user wants silence, at once, even while NATS is away. */
  #abort(reason: string | undefined): void {
    const { turns, parts } = this.#deps;
    const { uplink, playout, farewell } = parts;
    this.#decide(false);
    // A realtime listen goes on: the microphone never stopped, and no other start follows.
    if (this.#mode !== "realtime") {
      farewell.listening = false;
      this.#waitingListen = undefined;
      if (this.#mode === "manual") this.#watch?.stop();
    }
    turns.event("abort");
    const since = playout.speaking ? Date.now() : undefined;
    const body = { type: "abort" as const, ...(reason === undefined ? {} : { reason }) };
    const seq = uplink.send({ kind: "control", body }, "aborted");
    playout.abort(seq ?? uplink.seq);
    if (since !== undefined) turns.silenced(since, "abort");
  }

  /** Ends the listen and all turns: their conversation is over, but not the session. */
  endListen(): void {
    const { uplink, used, shown } = this.#deps.parts;
    if (this.#mode === undefined && used.playout === undefined) return;
    if (this.#mode !== undefined) uplink.send({ kind: "control", body: { type: "stop" } });
    this.#mode = undefined;
    this.#watch?.stop();
    for (const announcement of used.playout?.queue.takeAnnouncements() ?? []) shown.adopt(announcement);
    this.#abort("channel closed");
  }

  /** Publishes frames that waited for NATS, and directs play-out as their seqs require. */
  resume(): void {
    const { parts } = this.#deps;
    const { uplink, outbox } = parts;
    for (const { frame, mark, seq } of uplink.resume()) {
      if (mark === "aborted") parts.playout.raiseFence(seq);
      else if (mark === "stopped") parts.playout.stopped(seq);
      else if (frame.kind === "text") this.#typed(seq, frame.body);
    }
    if (uplink.overflowed) outbox.close("overloaded");
  }

  #leaveOut(field: string): void {
    this.#drop("odd-field");
    const known = (this.#leftOut ??= new Set());
    if (!known.has(field)) this.#deps.onLeftOut(field);
    known.add(field);
  }

  #drop(reason: DropReason): undefined {
    this.#deps.counters.drops[reason] += 1;
  }
}

import {
  closeCodes,
  formatServerMessage,
  maxDeviceTextBytes,
  type CloseName,
  type OutText,
  type ServerMessage,
} from "@voxbus/protocol";
import { countLateness, type Counters } from "../observe/counters.ts";
import type { FrameRefusal } from "../observe/refused-frames.ts";
import type { Clock } from "../playout/clock.ts";
import type { Downlink } from "../playout/downlink.ts";
import type { Ending } from "./ending.ts";
import type { Transport } from "./transport.ts";

/** The sound that devices are sent. */
export const downlinkFormat = { format: "opus", sample_rate: 24_000, channels: 1, frame_duration: 60 } as const;

/** Dependencies of an outbox. */
export interface OutboxDeps extends FrameRefusal {
  readonly clock: Pick<Clock, "now">;
  readonly counters: Counters;
  readonly transport: Transport;
  readonly ending: Ending;
  /** Ends a conversation whose connection stays. */
  readonly channel: { hangUp(): void };
  /** Finds out when the device has been told to speak, if its sound takes another way than its text. */
  askForStart(): void;
  /** True while that is not known yet. */
  readonly startsSpeaking: boolean;
}

/** Messages of a conversation. A device without an audio channel that is told to speak turns its microphone on for good. */
const conversational: ReadonlySet<string> = new Set(["stt", "llm", "tts"]);

/** Writes one session's frames to its transport, and counts them. */
export class Outbox implements Downlink {
  readonly #deps: OutboxDeps;
  readonly #session: string;
  /** True from `tts` `start` to `tts` `stop`. */
  #isSpeaking = false;

  constructor(deps: OutboxDeps, session: string) {
    this.#deps = deps;
    this.#session = session;
  }

  /** Writes JSON to the device. Returns false if it was dropped. */
  writeText(message: OutText | ServerMessage): boolean {
    const { counters, transport } = this.#deps;
    if (!transport.hasAudio && conversational.has(message.type)) {
      counters.drops["no-channel"] += 1;
      return false;
    }
    const text = formatServerMessage(message, this.#session);
    if (Buffer.byteLength(text) > maxDeviceTextBytes) {
      this.#deps.refuseFrame("oversize");
      return false;
    }
    if (message.type === "tts" && message.state !== "sentence_start") this.#isSpeaking = message.state === "start";
    counters.sent.text += 1;
    counters.sentBytes.text += text.length;
    transport.writeText(text);
    if (message.type === "tts" && message.state === "start") this.#deps.askForStart();
    return true;
  }

  writeAudio(packet: Uint8Array, late = 0): void {
    const { clock, counters, transport } = this.#deps;
    const { longestPacket } = transport;
    if (packet.byteLength > longestPacket)
      return this.#deps.refuseFrame("oversize", { limit: `must be at most ${longestPacket} bytes for this device` });
    counters.sent.audio += 1;
    counters.sentBytes.audio += packet.byteLength;
    countLateness(counters, late);
    transport.writeAudio(packet, Math.round(clock.now()));
  }

  writable(): boolean {
    return this.#deps.transport.writable() && !this.#deps.startsSpeaking;
  }

  /**
   * Ends the session: says `tts` `stop` if the device speaks, and closes the connection. `done` ends only the conversation of
   * a device that stays connected.
   */
  close(reason: CloseName): void {
    const { ending, transport, channel } = this.#deps;
    if (ending.isRequested) return;
    if (reason === "done" && transport.reachesIdle) return channel.hangUp();
    const { code } = closeCodes[reason];
    ending.request({ reason, code });
    if (this.#isSpeaking) this.writeText({ type: "tts", state: "stop" });
    if (transport.reachesIdle) this.writeText({ type: "goodbye" });
    transport.close(code, reason);
  }
}

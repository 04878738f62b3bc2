import type { Bus } from "@voxbus/bus";
import {
  channels,
  type Emotion,
  isLanguage,
  type OutAudio,
  type OutText,
  type OutTextFrame,
  parseDeviceId,
  type Say,
} from "@voxbus/protocol";
import { ulid } from "ulid";
import { packetDuration } from "./packet-duration.ts";
import { splitSentences } from "./sentences.ts";

/** Ties a frame to a session, or to the open one if there is no `session`. With `origin` it is dropped when that turn is fenced. */
export interface About {
  readonly session?: string;
  readonly origin?: number;
}

/**
 * Sends to a device. It need not be known which gateway holds the device. Frames are sent at most once, in order, and
 * an offline device gets none. Throws `bad-id` for an invalid device id, BusAwayError while NATS is away.
 */
export interface Send {
  /** Sends any message of docs/protocol.md, "Messages to the device". */
  text(device: string, body: OutText, about?: About): void;
  /** Shows a message on the device with a sound, whatever the device is doing. */
  alert(device: string, message: string, look?: { readonly status?: string; readonly emotion?: Emotion }): void;
  /** Sends one Opus packet to be played at once. It is not paced, and it is the first to be dropped. */
  audio(device: string, packet: Uint8Array, about?: About): void;
  /**
   * Announces a text: the device speaks it as soon as it is silent, at the latest after 30 s. Resolves when the whole
   * text is stored, with the reply id that the device's events name. Throws RangeError for an empty text or a language
   * that is not BCP 47, BusAwayError
   * if it could not be stored within 15 s, or the signal's reason.
   */
  say(
    device: string,
    text: string,
    how?: { readonly emotion?: Emotion; readonly language?: string },
    signal?: AbortSignal,
  ): Promise<{ readonly reply: string }>;
}

/** Creates `send` for a connection. */
export function createSend(bus: Bus): Send {
  const text: Send["text"] = (device, body, about) => {
    const frame: OutTextFrame = { ...about, kind: "text", body };
    bus.publish(channels.out(parseDeviceId(device)), frame);
  };
  return {
    text,
    alert: (device, message, { status = "Message", emotion = "neutral" } = {}) =>
      text(device, { type: "alert", status, message, emotion }),
    audio(device, packet, { session, origin } = {}) {
      const duration = packetDuration(packet);
      // This runs for every packet, and a spread costs microseconds. Undefined fields are not sent.
      const frame: OutAudio = { session, origin, kind: "audio", duration, body: packet };
      bus.publish(channels.out(parseDeviceId(device)), frame);
    },
    async say(device, text, { emotion, language } = {}, signal) {
      const id = parseDeviceId(device);
      if (language !== undefined && !isLanguage(language))
        throw new RangeError("expected a BCP 47 language such as en or zh-CN");
      const sentences = splitSentences(text, language);
      if (sentences[0] === "") throw new RangeError("expected a text to say; it is empty");
      const reply = ulid();
      for (const [sentence, text] of sentences.entries()) {
        const last = sentence === sentences.length - 1;
        const say: Say = { reply, attempt: 1, sentence, text, emotion, language, last };
        const subject = sentence === 0 ? channels.sayOpen(id) : channels.say(id);
        await bus.store(subject, say, { id: `${reply}:${sentence}` }, signal);
      }
      return { reply };
    },
  };
}

import type { Bus } from "@voxbus/bus";
import {
  channels,
  type Emotion,
  type OutAudio,
  type OutText,
  type OutTextFrame,
  parseDeviceId,
  type Say,
} from "@voxbus/protocol";
import { ulid } from "ulid";
import { packetDuration } from "./packet-duration.ts";
import { splitSentences } from "./sentences.ts";

/** What a frame belongs to. Without `session` it reaches whichever is open; with `origin` it dies with that turn. */
export interface About {
  readonly session?: string;
  readonly origin?: number;
}

/**
 * Sends to a device, whichever gateway holds it: no look-up, one hop. Frames are sent at most once, in order; a device
 * that is offline gets nothing. Throws `bad-id` for a device id that is none, BusAwayError when NATS is away.
 */
export interface Send {
  /** Any message that a device understands, as in docs/protocol.md. */
  text(device: string, body: OutText, about?: About): void;
  /** Shown on the device with a sound, whatever it does. */
  alert(device: string, message: string, look?: { readonly status?: string; readonly emotion?: Emotion }): void;
  /** One Opus packet to be played at once, not paced, the first to be dropped; its duration is read from the packet. */
  audio(device: string, packet: Uint8Array, about?: About): void;
  /**
   * Has a text spoken: an announcement, which waits until the device is silent, at most 30 s. Resolves when all of it
   * is stored, with the reply id that the device's events name. Throws RangeError when there is nothing to say,
   * BusAwayError when it could not be stored for 15 s, or the signal's reason.
   */
  say(
    device: string,
    text: string,
    how?: { readonly emotion?: Emotion; readonly language?: string },
    signal?: AbortSignal,
  ): Promise<{ readonly reply: string }>;
}

/** Makes `send` of a connection. */
export function createSend(bus: Bus): Send {
  const text: Send["text"] = (device, body, about) => {
    const frame: OutTextFrame = { ...about, kind: "text", body };
    bus.publish(channels.out(parseDeviceId(device)), frame);
  };
  return {
    text,
    alert: (device, message, { status = "Message", emotion = "neutral" } = {}) =>
      text(device, { type: "alert", status, message, emotion }),
    audio(device, packet, about) {
      const duration = packetDuration(packet);
      const frame: OutAudio = { ...about, kind: "audio", duration, body: packet };
      bus.publish(channels.out(parseDeviceId(device)), frame);
    },
    async say(device, text, { emotion, language } = {}, signal) {
      const id = parseDeviceId(device);
      const sentences = splitSentences(text, language);
      if (sentences[0] === "") throw new RangeError("there is nothing to say");
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

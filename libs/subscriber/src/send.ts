import type { Bus } from "@voxbus/bus";
import {
  channels,
  checkEnvelope,
  fitsDevice,
  maxDeviceTextBytes,
  maxKeepMs,
  maxKeptText,
  type Emotion,
  OutAudio,
  type OutText,
  OutTextFrame,
  packetDuration,
  parseDeviceId,
  Say,
} from "@voxbus/protocol";
import { ulid } from "ulid";
import { handledTrace } from "./handler-trace.ts";
import { checkManner, checkSentence, type Manner } from "./reply.ts";
import { splitSentences } from "./sentences.ts";

/**
 * Ties a frame to a session, or to the open one if there is no `session`. With `origin` it is dropped when that turn is fenced.
 * `reply` names a text in the `receipt` of the event, if the device is idle.
 */
export interface About {
  readonly session?: string;
  readonly origin?: number;
  readonly reply?: string;
}

/**
 * How an announcement is spoken, and for how long it is kept for a device that is away, ms. Default: not at all. `reply` is
 * its reply id, which must be new. Default: a ULID.
 */
export interface Announced extends Manner {
  readonly keepMs?: number;
  readonly reply?: string;
}

/**
 * Sends to a device. It need not be known which gateway holds the device. Frames are sent at most once, in order, and
 * an offline device gets none. Inside of a handler, they belong to the trace of its message. Throws `bad-id` for an invalid device id,
 * RangeError that names the field for a value beyond its limit, and BusAwayError while NATS is away.
 */
export interface Send {
  /**
   * Sends any message of docs/protocol.md, "Messages to the device". Throws RangeError if it has over 8 KiB as the device reads it.
   */
  text(device: string, body: OutText, about?: About): void;
  /** Shows a message on the device with a sound, whatever the device is doing. Throws RangeError as `text` does. */
  alert(device: string, message: string, look?: { readonly status?: string; readonly emotion?: Emotion }): void;
  /** Sends one Opus packet to be played at once. It is not paced, and it is the first to be dropped. */
  audio(device: string, packet: Uint8Array, about?: About): void;
  /**
   * Announces a text: the device speaks it as soon as it is silent, at the latest after 30 s. Resolves when the whole
   * text is stored, with the reply id that the device's events name. Throws RangeError for an empty text, a
   * sentence of more than 65,536 characters, or another value beyond its limit, and stores nothing then; BusAwayError if the text
   * could not be stored within 15 s; or the signal's reason.
   *
   * With `keepMs` (1 ms to 7 days) the announcement is kept that long for a device that is away, and told once. Its text then
   * has at most 4096 characters. As at most 20 wait for a device, one more is dropped (`kept-full`).
   */
  say(device: string, text: string, how?: Announced, signal?: AbortSignal): Promise<{ readonly reply: string }>;
}

/** Creates `send` for a connection. */
export function createSend(bus: Bus): Send {
  const text: Send["text"] = (device, body, about) => {
    if (!fitsDevice(body))
      throw new RangeError(`expected a message of at most ${maxDeviceTextBytes} bytes of JSON for a device`);
    const frame: OutTextFrame = { ...about, kind: "text", body };
    checkEnvelope(OutTextFrame, frame);
    bus.publish(channels.out(parseDeviceId(device)), frame, handledTrace());
  };
  return {
    text,
    alert: (device, message, { status = "Message", emotion = "neutral" } = {}) =>
      text(device, { type: "alert", status, message, emotion }),
    audio(device, packet, { session, origin } = {}) {
      const duration = packetDuration(packet);
      // This runs for every packet, and a spread costs microseconds. Undefined fields are not sent.
      const frame: OutAudio = { session, origin, kind: "audio", duration, body: packet };
      checkEnvelope(OutAudio, frame);
      bus.publish(channels.out(parseDeviceId(device)), frame);
    },
    async say(device, text, { emotion, language, keepMs, reply = ulid() } = {}, signal) {
      const id = parseDeviceId(device);
      checkManner({ emotion, language });
      checkKeep(keepMs, text);
      const sentences = keepMs === undefined ? splitSentences(text, language) : [text.trim()];
      for (const sentence of sentences) checkSentence(sentence, {});
      const says = sentences.map((text, sentence): Say => {
        return {
          reply,
          attempt: 1,
          sentence,
          text,
          emotion,
          language,
          last: sentence === sentences.length - 1,
          keepMs,
        };
      });
      for (const say of says) checkEnvelope(Say, say);
      const trace = handledTrace();
      for (const [sentence, say] of says.entries()) {
        const subject = sentence === 0 ? channels.sayOpen(id) : channels.say(id);
        await bus.store(subject, say, { id: `${reply}:${sentence}`, ...(trace && { trace }) }, signal);
      }
      return { reply };
    },
  };
}

/** Throws RangeError for a time or a text that cannot be kept. */
function checkKeep(keepMs: number | undefined, text: string): void {
  if (keepMs === undefined) return;
  if (!Number.isInteger(keepMs) || keepMs < 1 || keepMs > maxKeepMs)
    throw new RangeError(`expected keepMs from 1 to ${maxKeepMs} ms, got ${keepMs}`);
  if (text.length > maxKeptText)
    throw new RangeError(`expected a text of at most ${maxKeptText} characters to keep, got ${text.length}`);
}

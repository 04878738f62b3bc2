import {
  channels,
  decodeEnvelope,
  deviceOfSubject,
  isDeviceId,
  ProtocolError,
  stored,
  type Event,
  type Heard,
  type Inbound,
  type Outbound,
  type Say,
} from "@voxbus/protocol";
import type { RecordedMessage } from "./format.ts";

/** A recorded message that a replay needs, decoded. */
export type Moment = { readonly t: number; readonly device: string } & (
  | { readonly kind: "in"; readonly frame: Inbound }
  | { readonly kind: "heard"; readonly heard: Heard }
  | { readonly kind: "say"; readonly say: Say }
  | { readonly kind: "out"; readonly out: Outbound }
  | { readonly kind: "event"; readonly event: Event }
);

/** The subjects of a device that a recording holds. What the stream refused is left out: transcripts and sentences come as `stored.…`. */
export function recordedSubjects(device: string): readonly string[] {
  return [
    channels.inbound(device),
    channels.heardPartial(device),
    channels.out(device),
    channels.event(device),
    stored(channels.heard(device)),
    stored(channels.sayOpen(device)),
    stored(channels.say(device)),
  ].map(({ subject }) => subject);
}

/** Decodes a recorded message. Returns undefined for one that a replay does not need. Throws ProtocolError if it does not decode. */
export function readMoment({ t, subject, data }: RecordedMessage): Moment | undefined {
  const device = deviceOfSubject(subject);
  if (device === undefined || !isDeviceId(device)) return undefined;
  const part = subject.slice(subject.indexOf(`.${device}.`) + device.length + 2);
  const isStored = subject.startsWith("stored.");
  if (isStored && part === "heard")
    return { t, device, kind: "heard", heard: decodeEnvelope(channels.heard.schema, data) };
  if (isStored && (part === "say" || part === "say.open"))
    return { t, device, kind: "say", say: decodeEnvelope(channels.say.schema, data) };
  if (isStored) return undefined;
  if (part.startsWith("in.")) return { t, device, kind: "in", frame: decodeEnvelope(channels.inbound.schema, data) };
  if (part === "out") return { t, device, kind: "out", out: decodeEnvelope(channels.out.schema, data) };
  if (part === "event") return { t, device, kind: "event", event: decodeEnvelope(channels.event.schema, data) };
  return undefined;
}

/** True for an error of one message, which a replay skips and counts. */
export function isUnreadable(error: unknown): error is ProtocolError {
  return error instanceof ProtocolError;
}

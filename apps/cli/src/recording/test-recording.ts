import { truncateSync } from "node:fs";
import { channels, encodeEnvelope, stored, type InControl, type Outbound, type Say } from "@voxbus/protocol";
import { createRecording } from "./writer.ts";

/** A message of a recording that a test writes: its time in ms, its subject, its bytes. */
export type Written = readonly [t: number, subject: string, data: Uint8Array];

/** Writes a recording of these messages. Without `isComplete` it lacks its end, as after a kill. */
export async function writeRecording(path: string, messages: readonly Written[], isComplete = true): Promise<void> {
  let t = 0;
  const recording = await createRecording({ path, now: () => t });
  for (const [at, subject, data] of messages) {
    t = at;
    recording.write({ subject, data });
  }
  const { bytes } = recording;
  await recording.end();
  if (!isComplete) truncateSync(path, bytes);
}

/** The messages of one session of a device, as its gateway and the programs publish them. */
export function createSession(device: string, session: string, firstSeq = 1) {
  let seq = firstSeq - 1;
  const common = () => ({ session, seq: (seq += 1), at: 1 });
  return {
    control(t: number, body: InControl): Written {
      const channel = body.type === "listen" ? channels.inControlOpen(device) : channels.inControl(device);
      return [t, channel.subject, encodeEnvelope(channel.schema, { ...common(), kind: "control", body })];
    },
    audio(t: number, body: Uint8Array): Written {
      const channel = channels.inAudio(device);
      return [t, channel.subject, encodeEnvelope(channel.schema, { ...common(), kind: "audio", body })];
    },
    text(t: number, body: string): Written {
      const channel = channels.inText(device);
      return [t, channel.subject, encodeEnvelope(channel.schema, { ...common(), kind: "text", body })];
    },
    heard(t: number, text: string, origin: number): Written {
      const { subject, schema } = stored(channels.heard(device));
      const heard = { session, listen: 1, utterance: 1, from: origin, origin, text, language: "en" };
      return [t, subject, encodeEnvelope(schema, heard)];
    },
    say(t: number, say: Pick<Say, "text"> & Partial<Say>): Written {
      const { subject, schema } = stored(channels.sayOpen(device));
      const sentence = { session, reply: "r1", attempt: 1, sentence: 0, last: true, ...say };
      return [t, subject, encodeEnvelope(schema, sentence)];
    },
    out(t: number, out: Outbound): Written {
      const channel = channels.out(device);
      return [t, channel.subject, encodeEnvelope(channel.schema, out)];
    },
    /** The first frame of a reply: a subtitle. */
    begins(t: number, reply = "r1", origin = 1): Written {
      const body = { type: "tts", state: "sentence_start", text: "x" } as const;
      return this.out(t, { session, origin, reply, attempt: 1, sentence: 0, n: 0, kind: "text", body });
    },
    /** The end of a reply. */
    ends(t: number, { reply = "r1", origin = 1, complete = true } = {}): Written {
      const channel = channels.event(device);
      const turn = { origin, reply, complete, fenced: 0, dropped: 0, late: 0 };
      return [t, channel.subject, encodeEnvelope(channel.schema, { session, at: 1, gateway: "g1", turn })];
    },
  };
}

/** The hello of a session, as its gateway publishes it. */
export const opened = {
  type: "opened",
  gateway: "g1",
  protocol: 3,
  features: { mcp: true },
  sampleRate: 24_000,
  frameDuration: 20,
} as const satisfies InControl;

import { encode } from "@msgpack/msgpack";
import { type BucketName, streamNames, subjectsOfStream } from "@voxbus/protocol";

const whole = encode({ v: 1, session: "s", seq: 1, at: 0, kind: "text", body: "what time is it" });

/** Messages that no reader of the bus can read, by what is wrong with them. */
export const malformed = [
  ["json", Buffer.from('{"v":1,"kind":"text"}')],
  ["truncated", whole.subarray(0, -1)],
  ["wrong-type", encode({ v: 1, session: 7, seq: "one", kind: [], body: 7, text: {} })],
  ["newer", encode({ v: 2, session: "s", seq: 1, at: 0, kind: "text", body: "what time is it" })],
] as const;

/** The keys of each bucket that a turn of the device reads. */
function listKeys(device: string, session: string): Readonly<Record<BucketName, readonly string[]>> {
  return {
    gateways: [`odd-${device}`],
    presence: [`=canary-odd-${device}`, `odd-${device}`],
    profiles: [device, "=default", "=group-odd"],
    dialogues: [device],
    tools: [session],
    "tool-calls": [1, 2, 3, 4].flatMap((origin) => [`${session}.${origin}.0`, `${session}.${origin}.1`]),
    reminders: [`${device}.${session}-1-0`],
    kept: [device],
    devices: [device],
    registry: [device],
    activations: ["000001"],
    api: ["token.odd", "webhook.odd"],
    probes: ["odd"],
    monitor: [`alert.odd.${device}`],
    naks: ["TURNS.tts.odd", "TURNS.dialogue.odd", "DEVICE_IN.asr.odd", "DEVICE_IN.dialogue.odd"],
  };
}

/** Lists every stored subject of a device and every bucket key that its turns read, as subjects of NATS. */
export function listStored(device: string, session: string): readonly string[] {
  const subjects = streamNames.flatMap(subjectsOfStream).map((subject) => subject.replace("*", device));
  const keys = Object.entries(listKeys(device, session)).flatMap(([bucket, keys]) =>
    keys.map((key) => `$KV.voxbus_${bucket}.${key}`),
  );
  return [...subjects, ...keys];
}

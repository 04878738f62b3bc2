import type { Bus, Closer } from "@voxbus/bus";
import {
  channels,
  encodeEnvelope,
  packetDuration,
  stored,
  type Heard,
  type InControl,
  type ListenMode,
} from "@voxbus/protocol";
import { createInbox } from "./inbox.ts";

/** A frame or a transcript that was published for the device. */
export type Answer =
  | { readonly type: "user-speaking"; readonly on: boolean; readonly seq: number; readonly origin?: number | undefined }
  | { readonly type: "barge-in"; readonly seq: number }
  | { readonly type: "stt"; readonly text: string; readonly origin: number | undefined }
  | { readonly type: "heard"; readonly heard: Heard };

/** Makes a test for the news that the user has begun to speak, or has stopped. */
export function isUserSpeaking(on: boolean) {
  return (answer: Answer): answer is Extract<Answer, { type: "user-speaking" }> =>
    answer.type === "user-speaking" && answer.on === on;
}

/** One session of a device, put on the bus as a gateway does it. */
export interface TestGateway extends Closer {
  readonly answers: readonly Answer[];
  readonly partials: readonly string[];
  /** The ranges of frames that programs asked for again. */
  readonly replays: readonly { readonly from: number; readonly to: number | undefined }[];
  /** Publishes packets and returns the last seq. A replay has the `missing` ones; the `lost` ones are gone for good. */
  send(packets: readonly Uint8Array[], options?: { missing?: readonly number[]; lost?: readonly number[] }): number;
  control(body: InControl): Promise<number>;
  listen(mode: ListenMode): Promise<number>;
  /** Answers from now on that the session is gone, as another gateway does after a crash. */
  die(): void;
  /** Resolves with the first answer, past or future, that fits. */
  answer<T extends Answer>(fits: (answer: Answer) => answer is T): Promise<T>;
  /** Resolves with the final transcript number `index`, counted from 0. */
  heard(index?: number): Promise<Heard>;
}

/** Opens a session of a device. */
export function openTestGateway(bus: Bus, device: string): TestGateway {
  const session = `session-${device}`;
  const gateway = `gateway-${device}`;
  const frames = new Map<number, Uint8Array>();
  const answers = createInbox<Answer>();
  const partials: string[] = [];
  const replays: { from: number; to: number | undefined }[] = [];
  let seq = 0;
  let alive = true;

  const closers: Closer[] = [
    bus.respond(channels.replay(gateway), ({ from, to = seq }) => {
      replays.push({ from, to });
      const asked = [...frames].filter(([at]) => at >= from && at <= to).map(([, bytes]) => bytes);
      return { session, open: alive, newest: seq, frames: asked };
    }),
    bus.subscribe(channels.out(device), ({ kind, body, origin }) => {
      if (kind === "text" && body.type === "stt") answers.put({ type: "stt", text: body.text, origin });
      if (kind === "control" && (body.type === "barge-in" || body.type === "user-speaking")) answers.put(body);
    }),
    bus.subscribe(stored(channels.heard(device)), (heard) => answers.put({ type: "heard", heard })),
    bus.subscribe(channels.heardPartial(device), ({ text }) => partials.push(text)),
  ];

  async function control(body: InControl) {
    seq += 1;
    const at = seq;
    const channel = body.type === "listen" ? channels.inControlOpen(device) : channels.inControl(device);
    const frame = encodeEnvelope(channel.schema, { session, seq, at: Date.now(), kind: "control", body });
    frames.set(at, frame);
    await bus.store(channel, frame, { id: `${session}:${at}` });
    return at;
  }
  return {
    answers: answers.items,
    partials,
    replays,
    send(packets, { missing = [], lost = [] } = {}) {
      packets.forEach((body, i) => {
        seq += 1;
        const audio = { kind: "audio", duration: packetDuration(body), body } as const;
        const frame = encodeEnvelope(channels.inAudio.schema, { session, seq, at: Date.now(), ...audio });
        if (!lost.includes(i)) frames.set(seq, frame);
        if (!lost.includes(i) && !missing.includes(i)) bus.publish(channels.inAudio(device), frame);
      });
      return seq;
    },
    control,
    listen: (mode) => control({ type: "listen", mode, gateway }),
    die() {
      alive = false;
    },
    answer: (fits) => answers.find(fits),
    async heard(index = 0) {
      const { heard } = await answers.find(
        (one): one is Extract<Answer, { type: "heard" }> =>
          one.type === "heard" && answers.items.filter(({ type }) => type === "heard").indexOf(one) === index,
      );
      return heard;
    },
    close() {
      for (const closer of closers) closer.close();
    },
  };
}

import { setTimeout as sleep } from "node:timers/promises";
import type { Bus } from "@voxbus/bus";
import { channels, stored } from "@voxbus/protocol";
import { encodeSpeech, loadSpeech, openTestGateway, silence } from "@voxbus/testing";

/** Consequences of a sound. */
export interface Consequences {
  /** The transcripts that act. */
  readonly texts: readonly string[];
  /** Replies that were cut, if one had been playing all the time. */
  readonly fences: number;
  /** Turns that began: a question, or an apology. */
  readonly turns: number;
}

/** Consequences of a sound, and their times (performance.now, ms). */
export interface Hearing extends Consequences {
  /** The time at which the first packet was sent. */
  readonly sentAt: number;
  /** The times at which transcripts came, also empty ones. */
  readonly heardAt: readonly number[];
}

/** The name and the text of the speech that ends each sound. */
const marker = { sample: "time", text: "what time is it" } as const;
const packetMs = 60;
let devices = 0;

/**
 * Lets asr hear a sound in one listen. `answer`: sentences that the device speaks meanwhile. `realTime`: sends each packet at
 * its time; otherwise all at once.
 */
export async function hear(
  bus: Bus,
  sound: Int16Array,
  options: { readonly answer?: readonly string[]; readonly realTime?: boolean } = {},
): Promise<Hearing> {
  const device = `ear-${(devices += 1)}`;
  const gateway = openTestGateway(bus, device);
  const session = `session-${device}`;
  const reply = `reply-${device}`;
  const heardAt: number[] = [];
  let follow: () => void = () => undefined;
  const followed = new Promise<void>((resolve) => (follow = resolve));
  const watches = [
    bus.subscribe(stored(channels.heard(device)), () => void heardAt.push(performance.now())),
    bus.subscribe(channels.out(device), ({ kind, body }) => {
      if (kind === "control" && body.type === "listening") follow();
    }),
  ];
  try {
    await gateway.listen("realtime");
    await followed;
    const { answer = [], realTime = false } = options;
    for (const [sentence, text] of answer.entries()) {
      const say = { session, origin: 1, reply, attempt: 1, sentence, text, last: sentence === answer.length - 1 };
      await bus.store(sentence === 0 ? channels.sayOpen(device) : channels.say(device), say, {
        id: `${reply}:${sentence}`,
      });
    }
    const packets = encodeSpeech(sound);
    const sentAt = performance.now();
    for (const [i, packet] of packets.entries()) {
      if (realTime) await sleep(sentAt + i * packetMs - performance.now());
      gateway.send([packet]);
    }
    const last = gateway.send(encodeSpeech(silence(1500)));
    gateway.send([...encodeSpeech(loadSpeech(marker.sample)), ...encodeSpeech(silence(1500))]);
    for (let index = 0; ; index++) if ((await gateway.heard(index)).from > last) break;
    if (answer.length > 0) {
      const turn = { origin: 1, reply, complete: true, fenced: 0, dropped: 0, late: 0 };
      bus.publish(channels.event(device), { session, at: Date.now(), gateway: `gateway-${device}`, turn });
    }
    const answers = gateway.answers.slice(
      0,
      gateway.answers.findIndex((one) => one.type === "heard" && one.heard.from > last),
    );
    const transcripts = answers.flatMap((one) => (one.type === "heard" ? [one.heard] : []));
    if (transcripts.some(({ reason }) => reason === "failed")) throw new Error("asr failed: this machine is too busy");
    return {
      texts: transcripts.flatMap(({ text }) => (text === "" ? [] : [text])),
      fences: answers.filter((one) => one.type === "barge-in" && one.seq < last).length,
      turns: transcripts.filter(({ text, reason }) => text !== "" || reason === "unrecognized").length,
      heardAt,
      sentAt,
    };
  } finally {
    await gateway.control({ type: "closed", code: 1000, reason: "" });
    gateway.close();
    for (const watch of watches) watch.close();
  }
}

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { channels } from "@voxbus/protocol";
import { openTestDevice } from "@voxbus/testing";
import type { Entrance } from "./device.ts";
import { createEar, type Exchange, type Sentence } from "./ear.ts";
import { plainHello } from "./guests.ts";
import type { References } from "./judge.ts";
import { apologies, type Questions } from "./questions.ts";
import type { World } from "./world.ts";

const soundsOfGateways = new URL("../../../apps/gateway/assets/", import.meta.url);
/** The apology of tts if an engine fails in mid-sentence. */
const spokenApology = "Sorry, something went wrong.";
const patienceMs = 30_000;
const pupils = 3;

/**
 * Records the correct answers: asks every question and has every apology spoken while there is no fault. The embedded engines
 * make the same packets each time, so later answers can be compared packet by packet. Throws if the system does not answer.
 */
export async function learnReferences(world: Entrance & Pick<World, "bus">, questions: Questions): Promise<References> {
  const [ready, notice] = [await readSound("apology.en.bin"), await readSound("wait.en.bin")];
  const apologizing: (readonly Buffer[])[] = [ready];
  const references: References = { answers: new Map(), packets: new Map(), apologies: apologizing, notice };
  const texts = [...questions.typed, ...questions.spoken, ...questions.long].map(({ text }) => text);
  const learn = async (first: number) => {
    const id = `pupil-${randomUUID().slice(0, 8)}`;
    const pupil = await connectPupil(world, { id, url: world.urls[first % world.urls.length]!, apology: ready });
    for (const text of texts.filter((_, at) => at % pupils === first)) {
      const sentences = await pupil.hear(() => pupil.type(text));
      references.answers.set(
        text,
        sentences.flatMap((sentence) => (sentence.text === undefined ? [] : [sentence.text])),
      );
      for (const sentence of sentences) references.packets.set(sentence.text ?? "", sentence.packets);
    }
    for (const text of [...apologies, spokenApology].filter((_, at) => at % pupils === first)) {
      const say = { reply: randomUUID(), attempt: 1, sentence: 0, text, language: "en", last: true };
      // A pupil that misses an answer tells. Its world may be closed while others still ask.
      const store = () => void world.bus.store(channels.sayOpen(pupil.id), say).catch(() => undefined);
      const sentences = await pupil.hear(store);
      if (text === spokenApology) apologizing.push(sentences[0]?.packets ?? []);
      else references.packets.set(text, sentences[0]?.packets ?? []);
    }
    pupil.leave();
  };
  await Promise.all(Array.from({ length: pupils }, (_, first) => learn(first)));
  return references;
}

async function connectPupil(
  { admit }: Entrance,
  { id, url, apology }: { readonly id: string; readonly url: string; readonly apology: readonly Buffer[] },
) {
  let heard: ((exchange: Exchange) => void) | undefined;
  const ear = createEar({
    started: () => undefined,
    sound: () => undefined,
    sign: () => undefined,
    stray: () => undefined,
    stopped: (exchange) => heard?.(exchange),
  });
  const { headers, ...rest } = (await admit?.(id)) ?? {};
  const pupil = await openTestDevice(url, {
    ...rest,
    id,
    headers: { "Client-Id": randomUUID(), ...headers },
    hello: plainHello,
    onReceived: (message) => ("json" in message ? ear.text(message.json) : ear.audio(message.binary)),
  });
  // From near its end, since the apology of tts begins with the same packets.
  const isApology = (packet: Buffer) => apology.at(-6)?.equals(packet) === true;
  return {
    id,
    type: (text: string) => pupil.send({ type: "listen", state: "detect", text }),
    async hear(ask: () => void): Promise<readonly Sentence[]> {
      for (let tries = 0; tries < 3; tries += 1) {
        const exchange = await new Promise<Exchange>((resolve, reject) => {
          const timer = setTimeout(() => reject(new Error(`${id} got no answer without a fault`)), patienceMs);
          heard = (stopped) => {
            clearTimeout(timer);
            resolve(stopped);
          };
          ask();
        });
        // On a very busy machine gateways apologize even without a fault. Such an answer is not a reference.
        const spoiled =
          exchange.alerted || exchange.waited || exchange.sentences.some(({ packets }) => packets.some(isApology));
        if (exchange.sentences.length > 0 && !spoiled) return exchange.sentences;
      }
      throw new Error(`${id} got no complete answer without a fault`);
    },
    leave: () => pupil.vanish(),
  };
}

async function readSound(name: string): Promise<readonly Buffer[]> {
  const data = await readFile(new URL(name, soundsOfGateways));
  const packets: Buffer[] = [];
  for (let at = 0; at < data.byteLength;) {
    const size = data.readUInt16BE(at);
    packets.push(data.subarray(at + 2, at + 2 + size));
    at += 2 + size;
  }
  return packets;
}

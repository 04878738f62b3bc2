/**
 * Writes the sounds that the gateway says itself, `apps/gateway/assets/*.en.bin`: Opus packets of 60 ms at 24 kHz mono, each
 * after its length in bytes as a 16-bit big-endian number. Run it again after a change of a sentence or the voice:
 * `node apps/tts/dist/phrases.js`.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { createEmbeddedEngine } from "./engines/embedded.ts";
import { createSpeechEncoder } from "./speech-encoder.ts";

const texts = {
  apology: "Sorry, something went wrong. Please try again.",
  wait: "One moment, I am busy.",
  busy: "Sorry, I am too busy. Please try again later.",
};
const folder = new URL("../../gateway/assets/", import.meta.url);

const engine = await createEmbeddedEngine({ threads: 1 });
const encoder = await createSpeechEncoder({ threads: 1, onSynthesized: () => undefined });
await mkdir(folder, { recursive: true });
for (const [name, text] of Object.entries(texts)) {
  const parts: Buffer[] = [];
  for await (const { body } of encoder.speak(engine, { text }, new AbortController().signal)) {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(body.length);
    parts.push(length, Buffer.from(body));
  }
  await writeFile(new URL(`${name}.en.bin`, folder), Buffer.concat(parts));
  process.stdout.write(`${name}: ${parts.length / 2} packets\n`);
}
await encoder.close();
await engine.close();

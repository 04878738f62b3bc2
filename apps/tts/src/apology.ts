/**
 * Writes the gateway's prepared apology, `apps/gateway/assets/apology.en.bin`: Opus packets of 60 ms at 24 kHz mono, each
 * after its length in bytes as a 16-bit big-endian number. Run it again after a change of the sentence or the voice:
 * `node apps/tts/dist/apology.js`.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { createEmbeddedEngine } from "./engines/embedded.ts";
import { createSpeechEncoder } from "./speech-encoder.ts";

const text = "Sorry, something went wrong. Please try again.";
const file = new URL("../../gateway/assets/apology.en.bin", import.meta.url);

const engine = await createEmbeddedEngine({ threads: 1 });
const encoder = await createSpeechEncoder({ threads: 1, onSynthesized: () => undefined });
const parts: Buffer[] = [];
for await (const { body } of encoder.speak(engine, { text }, new AbortController().signal)) {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(body.length);
  parts.push(length, Buffer.from(body));
}
await encoder.close();
await engine.close();
await mkdir(new URL(".", file), { recursive: true });
await writeFile(file, Buffer.concat(parts));
process.stdout.write(`${parts.length / 2} packets\n`);

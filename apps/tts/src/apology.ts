/**
 * Writes the gateway's ready-made apology, `apps/gateway/assets/apology.en.bin`: Opus packets of 60 ms at 24 kHz mono,
 * each behind its length in bytes as a 16-bit big-endian number, to the end of the file. Run it again after a change of
 * the sentence or the voice: `node apps/tts/dist/apology.js`.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { createEmbeddedEngine } from "./engines/embedded.ts";
import { createSpeech } from "./synthesis.ts";

const text = "Sorry, something went wrong. Please try again.";
const file = new URL("../../gateway/assets/apology.en.bin", import.meta.url);

const engine = await createEmbeddedEngine({ threads: 1 });
const speech = await createSpeech({
  engines: [engine],
  fallback: engine,
  threads: 1,
  failed: (_, error) => {
    throw error;
  },
});
const parts: Buffer[] = [];
for await (const { body } of speech.speak({ text }, new AbortController().signal)) {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(body.length);
  parts.push(length, Buffer.from(body));
}
await speech.close();
await engine.close();
await mkdir(new URL(".", file), { recursive: true });
await writeFile(file, Buffer.concat(parts));
process.stdout.write(`${parts.length / 2} packets\n`);

import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { createResampler, writeWav } from "@voxbus/audio";
import { createEmbeddedEngine, embeddedVoices } from "./engines/embedded.ts";

const usage = `node apps/tts/dist/speak.js "text" [--voice ${embeddedVoices.join("|")}] [--rate HZ] [--speed 1] OUT.wav

Speaks an English text with the embedded engine into a WAV file (mono, 16 bit, 16000 Hz by default).
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    voice: { type: "string", default: "slt" },
    rate: { type: "string", default: "16000" },
    speed: { type: "string", default: "1" },
    help: { type: "boolean", default: false },
  },
});
const [text, file] = positionals;
if (values.help || text === undefined || file === undefined || positionals.length > 2) {
  process.stderr.write(usage);
  process.exit(values.help ? 0 : 2);
}

const sampleRate = Number(values.rate);
const engine = await createEmbeddedEngine({ threads: 1, voice: values.voice });
const samples: number[] = [];
for await (const sound of engine.synthesize({ text, speed: Number(values.speed) }, new AbortController().signal)) {
  const resampler = createResampler(sound.sampleRate, sampleRate);
  for (const sample of resampler.write(sound.samples)) samples.push(sample);
  for (const sample of resampler.flush()) samples.push(sample);
}
await engine.close();
await writeFile(file, writeWav({ sampleRate, samples: Int16Array.from(samples) }));
process.stdout.write(`${file}: ${(samples.length / sampleRate).toFixed(2)} s\n`);

// Makes the recordings that samples.json lists, with the embedded voices: node samples/make.mjs (after npm run build).
import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const longestBytes = 100_000;
const locate = (path) => fileURLToPath(new URL(path, import.meta.url));

for (const { file, text, voice } of JSON.parse(readFileSync(locate("samples.json"), "utf8"))) {
  const args = [locate("../apps/tts/dist/speak.js"), text, "--voice", voice, "--rate", "16000", locate(file)];
  execFileSync(process.execPath, args, { stdio: "ignore" });
  const { size } = statSync(locate(file));
  if (size > longestBytes) throw new Error(`${file} has ${size} bytes, ${longestBytes} at most: say less`);
  console.log(`${file} ${size} bytes: ${text}`);
}

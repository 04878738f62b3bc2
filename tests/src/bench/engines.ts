import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createResampler, writeWav } from "@voxbus/audio";
import { loadSpeech } from "@voxbus/testing";
import { answerParent } from "./child.ts";

// A server of OpenAI's protocol that answers at once, so that what is measured is the rest. It checks nothing.
const sampleRate = 24_000;
/** The length of every answer, ms. */
const answerMs = 4800;
const wav = makeAnswer();
const transcript = Buffer.from(JSON.stringify({ text: "Please tell me what the weather is like today." }));
let answers = 0;

const routes: Readonly<Record<string, (response: ServerResponse) => void>> = {
  "/v1/chat/completions": (response) => {
    answers += 1;
    response.writeHead(200, { "content-type": "text/event-stream" });
    // The number keeps caches of sentences out of the measurement.
    for (const content of [`Answer number ${answers}`, " is neither short nor long,", " it is as long as most are."]) {
      response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { role: "assistant", content } }] })}\n\n`);
    }
    const finish = { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] };
    response.end(`data: ${JSON.stringify(finish)}\n\ndata: [DONE]\n\n`);
  },
  "/v1/audio/transcriptions": (response) =>
    void response.writeHead(200, { "content-type": "application/json" }).end(transcript),
  "/v1/audio/speech": (response) =>
    void response.writeHead(200, { "content-type": "audio/wav", "content-length": wav.byteLength }).end(wav),
};

const server = createServer((request: IncomingMessage, response) => {
  // The answer waits for the whole question, as a real one does.
  request.resume().on("end", () => {
    const route = routes[request.url ?? ""];
    if (route) route(response);
    else response.writeHead(404).end();
  });
});
server.keepAliveTimeout = 60_000;
await once(server.listen(0, "127.0.0.1"), "listening");
answerParent({}, { engines: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` });

/** Makes an answer's sound: recordings in a row, at the rate that devices play. */
function makeAnswer(): Uint8Array {
  const spoken = ["story", "other", "sum", "joke"].flatMap((name) => [...loadSpeech(name)]);
  const resampler = createResampler(16_000, sampleRate);
  const samples = resampler.write(Int16Array.from(spoken));
  return writeWav({ sampleRate, samples: samples.slice(0, (answerMs * sampleRate) / 1000) });
}

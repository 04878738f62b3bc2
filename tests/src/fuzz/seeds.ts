import { createOpusEncoder, writeWav } from "@voxbus/audio";
import { encodeFrame, type envelopes } from "@voxbus/protocol";

const session = "01K6WZ7S5XK4Q0J7M3N8R2T9VA";
const inbound = { session, seq: 7, at: 1_760_000_000_000 };
const control = (body: object) => ({ ...inbound, kind: "control", body });
const turn = { session, origin: 7, reply: "01K6WZ7S5XK4Q0J7M3N8R2T9VB", attempt: 1, sentence: 0, n: 0 };

/** Valid Opus packets of several lengths and sample rates. */
export const packets: readonly Uint8Array[] = [8000, 16_000, 24_000, 48_000].flatMap((rate) => {
  const sampleRate = rate as 16_000;
  const encoder = createOpusEncoder({ sampleRate });
  const made = [10, 20, 60].map((ms) => {
    const samples = Int16Array.from(
      { length: (rate * ms) / 1000 },
      (_, at) => 8000 * Math.sin(at / 7) * Math.cos(at / 311),
    );
    return encoder.encode(samples);
  });
  encoder.close();
  return [...made, Uint8Array.of(0xf8, 0xff, 0xfe)];
});

/** A small, valid WAV file. */
export const wav = writeWav({ sampleRate: 16_000, samples: Int16Array.from({ length: 320 }, (_, at) => at * 50) });

/** Valid envelopes, by their names in the table `envelopes`. */
export const envelopeSeeds: Readonly<Record<keyof typeof envelopes, readonly object[]>> = {
  "in.audio": [
    { ...inbound, kind: "audio", duration: 60, body: packets[2] },
    { ...inbound, kind: "audio", body: packets[2] },
  ],
  "in.text": [{ ...inbound, kind: "text", body: "what time is it" }],
  "in.control": [
    control({ type: "opened", gateway: "g1", protocol: 3, features: { mcp: true }, sampleRate: 16_000, frameDuration: 60 }),
    control({ type: "closed", code: 1000, reason: "done" }),
    control({ type: "listen", mode: "auto", gateway: "g1" }),
    control({ type: "stop" }),
    control({ type: "wake", text: "hey there" }),
    control({ type: "abort", reason: "wake_word_detected" }),
    control({ type: "fence", fence: 6, reply: "r1" }),
    control({ type: "gap", frames: 9, from: 1000, to: 2000, reason: "bus-away" }),
    control({ type: "resend", reply: "r1", origin: 3, after: { attempt: 1, sentence: 0, n: 4 } }),
    control({ type: "mcp", payload: JSON.stringify({ jsonrpc: "2.0", id: 1, result: { tools: [] } }) }),
    control({ type: "iot", descriptors: '[{"name":"Lamp"}]', states: "[]" }),
    control({ type: "goodbye" }),
  ],
  heard: [{ session, listen: 2, utterance: 1, from: 3, origin: 7, text: "what time is it", language: "en", confidence: 0.9 }],
  say: [{ session, origin: 7, reply: "r1", attempt: 1, sentence: 0, text: "Hello.", emotion: "happy", language: "en", last: true }, { session, origin: 7, reply: "r1", attempt: 1, sentence: 1, text: "Bye.", last: true }, { reply: "r2", attempt: 1, sentence: 0, text: "Hello.", last: true, keepMs: 5000 }],
  out: [
    { ...turn, kind: "audio", duration: 60, body: packets[10] },
    { ...turn, kind: "text", body: { type: "llm", emotion: "happy" } },
    { kind: "text", body: { type: "stt", text: "hello" }, origin: 7 },
    { kind: "text", body: { type: "mcp", payload: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }) } },
    { kind: "text", body: { type: "alert", status: "a", message: "b", emotion: "sad" } },
    { kind: "text", body: { type: "tts", state: "sentence_start", text: "Hello." } },
    { kind: "text", body: { type: "system", command: "reboot" } },
    { kind: "control", body: { type: "barge-in", seq: 3 } },
    { kind: "control", body: { type: "listening", seq: 3, state: "on" } },
    { kind: "control", body: { type: "user-speaking", seq: 3, on: true, origin: 3 } },
    { kind: "control", body: { type: "working" }, origin: 3 },
    { kind: "control", body: { type: "working", waits: true }, origin: 3 },
    { kind: "control", body: { type: "shed" }, origin: 3 },
    { kind: "control", body: { type: "close" }, origin: 3 },
    { ...turn, kind: "control", body: { type: "end" }, end: "reply" },
    { kind: "audio", duration: 60, body: packets[10] },
  ],
  event: [
    { session, at: 5, gateway: "g1", state: "idle" },
    { session, at: 5, gateway: "g1", turn: { origin: 7, played: [0, 3], complete: true, fenced: 0, dropped: 0, late: 0 } },
  ],
  command: [{ body: { type: "disconnect", device: "fuzz-1", session, reason: "requested" } }],
  "replay request": [{ session, from: 1, to: 90 }, { session, from: 2 ** 31 - 1 }],
  "replay answer": [{ session, open: true, newest: 5, frames: [Uint8Array.of(0x80)] }],
  "sound request": [{ sound: "Zm9vYmFyYmF6cXV4MTIzNA" }],
  "sound answer": [{ ogg: Uint8Array.of(0x4f, 0x67, 0x67, 0x53) }, {}],
  stats: [{ program: "asr", instance: "01K6", state: "running", host: "h", pid: 5, at: 5, uptime: 5, rss: 5, heap: 5, cpu: 0.5, cores: 2, loopDelay: 1, gauges: { listens: 1 }, totals: { utterances: 2 }, drops: { "bad-envelope": 1 }, pools: [{ name: "recognition", slots: 20, busy: 0.5, work: [{ priority: "high", submitted: 5, running: 1, peak: 2, waiting: 0, waited: 1, done: 4, failed: 0, timedOut: 0, shed: 0, waitMs: { mean: 1, p50: 1, p95: 1, p99: 1 }, workMs: { mean: 2, p50: 2, p95: 2, p99: 2 } }] }] }],
  error: [{ at: 5, subject: "device.fuzz-1.say.open", reason: "bad-envelope", field: "sentence", limit: "expected number", count: 3, publisher: "gateway g1" }],
  "tool call": [{ id: `${session}:7:1`, device: "fuzz-1", session, origin: 7, args: { room: "kitchen", on: true }, language: "en", timeZone: "Europe/Berlin", deadline: 1_760_000_010_000 }],
  "tool result": [{ text: "The light is on." }],
  "tool cancel": [{ id: `${session}:7:1` }],
  "tool change": [{ instance: "N0VQXYZ1", available: true }],
  alert: [{ id: "a", at: 5, severity: "low", name: "n", target: "s", message: "m", resolved: false }],
}; // prettier-ignore

/** Valid messages of a device. */
export const deviceSeeds: readonly object[] = [
  { type: "hello", version: 1, transport: "websocket", features: { mcp: true }, audio_params: { format: "opus", sample_rate: 16_000, channels: 1, frame_duration: 60 } },
  { type: "listen", state: "start", mode: "manual", session_id: "" },
  { type: "listen", state: "stop", session_id: "x" },
  { type: "listen", state: "detect", text: "hey there" },
  { type: "abort", reason: "wake_word_detected" },
  { type: "mcp", payload: { jsonrpc: "2.0", id: 1, result: { tools: [{ name: "self.get_device_status" }] } } },
  { type: "iot", update: true, descriptors: [{ name: "Lamp", properties: {} }], states: [{ name: "Lamp", state: { on: true } }] },
  { type: "goodbye" },
  { type: "ping" },
]; // prettier-ignore

/** Valid binary messages of each framing. */
export const frameSeeds = ([1, 2, 3] as const).map((version) =>
  packets.map((packet) => encodeFrame(version, packet, 3000)),
);

/** Makes an upgrade request like that of stock firmware. */
export function makeUpgrade(device: string, framing: number): string {
  return (
    `GET /xiaozhi/v1/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer test\r\nClient-Id: 0b5f2c9c-9d3c-4f0d-8d4b-0d3a2d0f7a11\r\n` +
    `Connection: Upgrade\r\nDevice-Id: ${device}\r\nProtocol-Version: ${framing}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
    `Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n\r\n`
  );
}

/** Makes a request for a device's configuration. */
export function makeOta(device: string, path = "/xiaozhi/ota/"): string {
  const body = JSON.stringify({
    version: 2,
    language: "en",
    application: { name: "xiaozhi", version: "2.4.2" },
    board: { type: "x" },
  });
  return (
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nDevice-Id: ${device}\r\nClient-Id: c\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${body.length}\r\n\r\n${body}`
  );
}

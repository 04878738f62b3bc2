import {
  channels,
  createInAudioWriter,
  decodeEnvelope,
  decodeFrame,
  encodeEnvelope,
  encodeFrame,
  formatServerMessage,
  parseDeviceMessage,
  type Outbound,
  type OutText,
} from "@voxbus/protocol";

const rounds = 60;
const session = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const name = { session, reply: `${session}:1`, origin: 1, attempt: 1, sentence: 0, n: 1, repeatable: true };
const texts: readonly OutText[] = [
  { type: "tts", state: "sentence_start", text: "Hello." },
  { type: "llm", emotion: "happy" },
];
const messages = [
  { type: "listen", state: "start", mode: "auto" },
  { type: "listen", state: "detect", text: "hello" },
  { type: "abort", reason: "wake_word_detected" },
];

/** Takes made-up frames and messages of a turn through the codecs, so that their code is compiled. */
export function warmUp(): void {
  const write = createInAudioWriter(session);
  const body = new Uint8Array(200).fill(7);
  const frames: readonly Outbound[] = [
    { ...name, kind: "audio", duration: 60, body },
    ...texts.map((text) => ({ ...name, kind: "text", body: text }) as const),
    { ...name, kind: "control", body: { type: "end" } },
  ];
  for (let round = 0; round < rounds; round += 1) {
    for (const frame of frames) decodeEnvelope(channels.out.schema, encodeEnvelope(channels.out.schema, frame));
    for (const message of messages) parseDeviceMessage(JSON.stringify(message));
    for (const text of texts) formatServerMessage(text, session);
    const typed = { session, seq: round + 1, at: round, kind: "text", body: "hello" } as const;
    encodeEnvelope(channels.inText.schema, typed);
    for (const version of [1, 2, 3] as const) decodeFrame(version, encodeFrame(version, body, round));
    write(round + 1, round, body);
  }
}

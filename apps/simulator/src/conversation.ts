import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { ConnectionError, describeClose } from "./connection.ts";
import type { DeviceClient, DeviceEvent, DeviceOptions } from "./client.ts";
import { connectDevice } from "./device-client.ts";
import type { Input } from "./device-options.ts";
import { readClock } from "./microphone.ts";
import { isMqtt } from "./mqtt-connection.ts";
import { makeNoise, type Noise } from "./noise.ts";
import { createSpeaker, type Speaker } from "./speaker.ts";
import { describeEvent, describeTurn, line } from "./transcript.ts";
import { followTurn, type Outcome, type Turn } from "./turn.ts";
import { loadUtterance, type Utterance } from "./utterance.ts";

/** A turn without an answer; the message is for people. */
class UnansweredError extends Error {
  override readonly name = "UnansweredError";
}

/** The device of a conversation, and where its answers go. */
export interface ConversationOptions {
  readonly device: DeviceOptions;
  /** The WAV file for all answers. */
  readonly out: string;
  /** The longest wait for a message of the server, in ms. */
  readonly timeoutMs: number;
  readonly print: (line: string) => void;
}

interface Call {
  readonly client: DeviceClient;
  readonly speaker: Speaker;
  /** Resolves with the reason when the connection closes. */
  readonly closed: Promise<ConnectionError>;
  /** Begins a turn. Connects again if the connection has ended and the device does that. */
  begin(): Promise<Turn>;
  /** Throws if a turn was not answered, with the close of the connection if there was one. */
  check(outcome: Outcome): void;
}

/** The rate of the sound that servers send, Hz. */
const usualRate = 24_000;
// A wrong answer to a noise would begin within this time.
const noiseMs = 3000;
/** How often a spoken question is asked while something else is said: a greeting, or announcements. */
const mostTries = 3;

const hints: Readonly<Record<Exclude<Outcome, "answered" | "closed">, string>> = {
  "ended without a sound": "The answer ended without a sound.",
  "no transcript in time": "No answer came, and no transcript.",
  "no start in time": "A transcript came, but no answer.",
  "no sound in time": "An answer began, but no sound came.",
  "no end in time": "The answer began, but it did not end.",
};

/**
 * Says all inputs in turn, prints the events and writes the sound of the answers to `out`. Throws `UnansweredError` for an input
 * without an audible answer, and `ConnectionError` if the connection fails.
 */
export async function converse(
  options: ConversationOptions,
  inputs: readonly Input[],
  signal?: AbortSignal,
): Promise<void> {
  const recordings = new Map<string, Utterance>();
  for (const input of inputs) if ("wav" in input) recordings.set(input.wav, await loadUtterance(input.wav));
  const call = await openCall(options, signal);
  try {
    for (const input of inputs) {
      if ("wake" in input) {
        options.print(line("wake", input.wake));
        call.client.wake({ text: input.wake });
      } else if ("noise" in input) await makeNoiseFor(call, input.noise, options.print);
      else for (let tries = 1; !(await ask(call, input, recordings, options.print)) && tries < mostTries; tries++);
    }
  } finally {
    await endCall(call, options);
  }
}

/** Asks a question. Resolves with false if it was spoken and not heard, because something else was said meanwhile. */
async function ask(
  call: Call,
  input: Extract<Input, { readonly wav: string } | { readonly text: string }>,
  recordings: ReadonlyMap<string, Utterance>,
  print: (line: string) => void,
): Promise<boolean> {
  const before = call.speaker.ms;
  const turn = await call.begin();
  if ("text" in input) {
    print(line("typed", input.text));
    call.client.type(input.text);
    turn.endInput(readClock());
  } else {
    const utterance = recordings.get(input.wav)!;
    print(line("spoke", `${input.wav}, ${(utterance.ms / 1000).toFixed(1)} s`));
    const { speechEnd } = await call.client.say(utterance);
    call.client.act("release");
    turn.endInput(speechEnd ?? readClock());
  }
  call.check(await turn.finished);
  print(describeTurn(turn.record, "wav" in input, call.speaker.ms - before));
  return "text" in input || turn.record.heard !== undefined;
}

/** Makes a noise. Throws if the server takes it for speech. */
async function makeNoiseFor(call: Call, noise: Noise, print: (line: string) => void): Promise<void> {
  const turn = await call.begin();
  print(line("noise", noise));
  await call.client.say(makeNoise(noise));
  call.client.act("release");
  await Promise.race([turn.finished, sleep(noiseMs)]);
  const { heard, startedAt } = turn.record;
  if (heard) throw new UnansweredError(`The noise was taken for speech: "${heard}".`);
  if (startedAt !== undefined) throw new UnansweredError("The noise was answered.");
}

/** Sends each line of `input` as text, an empty one as abort, and prints the events until `input` ends. */
export async function chat(options: ConversationOptions, input: Readable, signal?: AbortSignal): Promise<void> {
  const call = await openCall(options, signal);
  const lines = createInterface({ input });
  let closed: ConnectionError | undefined;
  const typed = async (text: string) => {
    if (text === "") return call.client.abort();
    const before = call.speaker.ms;
    const turn = await call.begin();
    call.client.type(text);
    turn.endInput(readClock());
    call.check(await turn.finished);
    options.print(describeTurn(turn.record, false, call.speaker.ms - before));
  };
  lines.on("line", (text) => {
    typed(text.trim()).catch((error: unknown) => {
      // A closed connection ends the chat below.
      if (!(error instanceof ConnectionError)) options.print(line("", describeError(error)));
    });
  });
  signal?.addEventListener("abort", () => lines.close(), { once: true });
  void call.closed.then((error) => {
    closed = error;
    lines.close();
  });
  try {
    await once(lines, "close");
    if (closed !== undefined) throw closed;
  } finally {
    await endCall(call, options);
  }
}

async function openCall({ device, timeoutMs, print }: ConversationOptions, signal?: AbortSignal): Promise<Call> {
  let turn: Turn | undefined;
  let speaker: Speaker | undefined;
  const reconnects = device.quirks?.reconnect !== undefined;
  let closed: ConnectionError | undefined;
  let resolveClosed: (error: ConnectionError) => void;
  const closing = new Promise<ConnectionError>((resolve) => (resolveClosed = resolve));
  const observe = (event: DeviceEvent) => {
    const shown = describeEvent(event);
    if (shown !== undefined) print(shown);
    if ("got" in event && event.got === "audio" && event.played) speaker?.play(event.packet);
    if ("got" in event && event.got === "close") {
      closed = describeClose(event.code, event.reason);
      if (!reconnects) resolveClosed(closed);
    }
    turn?.observe(event);
  };
  const client = await connectDevice({ ...device, onEvent: observe }, signal);
  const isIdle = isMqtt(device.identity);
  const hello = isIdle ? undefined : await client.serverHello;
  speaker = createSpeaker(hello?.audio_params.sample_rate ?? usualRate);
  const state = hello === undefined ? "idle" : `session ${hello.session_id}`;
  print(`Connected to ${device.identity.url} as ${device.identity.id}, ${state}.`);
  return {
    client,
    speaker,
    closed: closing,
    begin: async () => {
      if (closed !== undefined && !reconnects) throw closed;
      await client.connect();
      closed = undefined;
      return (turn = followTurn(timeoutMs));
    },
    check(outcome) {
      if (outcome === "closed") throw closed ?? new ConnectionError("closed", "the connection was closed");
      if (outcome !== "answered") throw new UnansweredError(hints[outcome]);
    },
  };
}

async function endCall({ client, speaker }: Call, { out, print }: ConversationOptions): Promise<void> {
  await client.connection.close("drop");
  if (speaker.bad > 0) print(line("bad", `${speaker.bad} audio packets were not valid Opus`));
  const seconds = (speaker.ms / 1000).toFixed(1);
  if (await speaker.save(out)) print(`Wrote ${seconds} s of sound to ${out}.`);
}

function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

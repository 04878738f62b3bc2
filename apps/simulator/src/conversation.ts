import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { ConnectionError } from "./connection.ts";
import {
  connectDevice,
  describeClose,
  type DeviceClient,
  type DeviceEvent,
  type DeviceOptions,
} from "./device-client.ts";
import type { Input } from "./device-options.ts";
import { readClock } from "./microphone.ts";
import { createSpeaker, type Speaker } from "./speaker.ts";
import { describeEvent, describeTurn, line } from "./transcript.ts";
import { followTurn, type Outcome, type Turn } from "./turn.ts";
import { loadUtterance, type Utterance } from "./utterance.ts";

/** A turn that was not answered; the message is a sentence for people. */
class UnansweredError extends Error {
  override readonly name = "UnansweredError";
}

/** What a conversation needs. */
export interface ConversationOptions {
  readonly device: DeviceOptions;
  /** The WAV file for all answers. */
  readonly out: string;
  /** How long nothing may come from the server, in ms. */
  readonly patienceMs: number;
  readonly print: (line: string) => void;
}

interface Call {
  readonly client: DeviceClient;
  readonly speaker: Speaker;
  /** Resolves when the connection closed, with the reason. */
  readonly closed: Promise<ConnectionError>;
  begin(): Turn;
  /** Throws when a turn was not answered, why the connection closed if that was it. */
  check(outcome: Outcome): void;
}

const hints: Readonly<Record<Exclude<Outcome, "answered" | "closed">, string>> = {
  "ended without a sound": "The answer ended without a sound.",
  "no transcript in time": "Nothing was answered: the server said nothing of having heard it.",
  "no start in time": "It was heard, but no answer came.",
  "no sound in time": "An answer began, but no sound came.",
  "no end in time": "The answer began, but it did not end.",
};

/**
 * Says every input in turn and shows what comes; writes the answers' sound to `out`. Throws `UnansweredError` for an input that
 * was not answered with sound and `ConnectionError` for a connection that cannot be had or breaks.
 */
export async function converse(
  options: ConversationOptions,
  inputs: readonly Input[],
  signal?: AbortSignal,
): Promise<void> {
  const { device, print } = options;
  const recordings = new Map<string, Utterance>();
  for (const input of inputs) if ("wav" in input) recordings.set(input.wav, await loadUtterance(input.wav));
  const call = await openCall(options, signal);
  try {
    for (const input of inputs) {
      const before = call.speaker.ms;
      const turn = call.begin();
      if ("text" in input) {
        print(line("typed", input.text));
        call.client.type(input.text);
        turn.endInput(readClock());
      } else {
        const utterance = recordings.get(input.wav)!;
        print(line("spoke", `${input.wav}, ${(utterance.ms / 1000).toFixed(1)} s`));
        await speak(call.client, turn, utterance, device.mode === "manual");
      }
      call.check(await turn.finished);
      print(describeTurn(turn.record, "wav" in input, call.speaker.ms - before));
    }
  } finally {
    await endCall(call, options);
  }
}

/** Sends every line of `input` as text and an empty one as abort, and shows what comes, until `input` ends. */
export async function chat(options: ConversationOptions, input: Readable, signal?: AbortSignal): Promise<void> {
  const call = await openCall(options, signal);
  const lines = createInterface({ input });
  let closed: ConnectionError | undefined;
  const typed = async (text: string) => {
    if (text === "") return call.client.abort();
    const before = call.speaker.ms;
    const turn = call.begin();
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

async function openCall({ device, patienceMs, print }: ConversationOptions, signal?: AbortSignal): Promise<Call> {
  let turn: Turn | undefined;
  let speaker: Speaker | undefined;
  let closed: ConnectionError | undefined;
  let resolveClosed: (error: ConnectionError) => void;
  const closing = new Promise<ConnectionError>((resolve) => (resolveClosed = resolve));
  const see = (event: DeviceEvent) => {
    const shown = describeEvent(event);
    if (shown !== undefined) print(shown);
    if ("got" in event && event.got === "audio" && event.played) speaker?.play(event.packet);
    if ("got" in event && event.got === "close") resolveClosed((closed = describeClose(event.code, event.reason)));
    turn?.see(event);
  };
  const client = await connectDevice({ ...device, onEvent: see }, signal);
  const hello = await client.serverHello;
  speaker = createSpeaker(hello.audio_params.sample_rate);
  print(`Connected to ${device.url} as ${device.id}, session ${hello.session_id}.`);
  return {
    client,
    speaker,
    closed: closing,
    begin: () => {
      if (closed !== undefined) throw closed;
      return (turn = followTurn(patienceMs));
    },
    check(outcome) {
      if (outcome === "closed") throw closed ?? new ConnectionError("closed", "the connection was closed");
      if (outcome !== "answered") throw new UnansweredError(hints[outcome]);
    },
  };
}

async function speak(client: DeviceClient, turn: Turn, utterance: Utterance, manual: boolean): Promise<void> {
  const spoken = await client.say(utterance);
  if (manual) client.stop();
  turn.endInput(spoken.speechEnd ?? readClock());
}

async function endCall({ client, speaker }: Call, { out, print }: ConversationOptions): Promise<void> {
  await client.connection.close("drop");
  if (speaker.bad > 0) print(line("odd", `${speaker.bad} audio packets did not decode`));
  const seconds = (speaker.ms / 1000).toFixed(1);
  if (await speaker.save(out)) print(`The answer's sound, ${seconds} s, is in ${out}.`);
}

function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

import { closeSync, openSync, statSync, writeFileSync } from "node:fs";
import { createOggOpusWriter, OpusPacketError } from "@voxbus/audio";
import type { Bus } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import { readNumber } from "../arguments.ts";
import { command, CommandError, UsageError } from "../command.ts";
import { createLiveOutput } from "../live-output.ts";
import { createPlayedSound } from "../played-sound.ts";
import { readDevice } from "../subjects.ts";
import { untilAborted } from "../until-aborted.ts";

/** The sound on one page, ms. A player gets it at once. */
const pageMs = 120;
const maxS = 86_400;

/** Writes the sound of a device. */
export const listen = command({
  name: "listen",
  summary: "Writes a device's sound as Ogg Opus to standard output",
  parameters: ["DEVICE"],
  options: {
    side: {
      value: "SIDE",
      choices: ["microphone", "speaker"],
      fallback: "microphone",
      meaning: "the sound that the device sends, or the sound that it plays",
    },
    out: { value: "FILE", meaning: "write it to a file instead" },
    seconds: { value: "S", meaning: "end after this time; else at Ctrl-C" },
  },
  details: `
The sound of the microphone comes as the device sends it, without the pauses in which it sends nothing. The sound of the
speaker comes at the end of each answer or announcement, up to the word at which it was interrupted; live audio comes at once.
What is sent to the whole fleet or to a group, and the gateway's own phrases, such as an apology, are not in it. Only its owner
can read the file (mode 0600). A file that exists is not overwritten.

  voxbus listen kitchen | ffplay -nodisp -
  voxbus listen kitchen --side speaker --out answers.opus --seconds 60`,
  async run({ parameters: [given = ""], options: { side, out, seconds } }, shell) {
    const device = readDevice(given);
    const ms = seconds === undefined ? undefined : readNumber(seconds, "--seconds", 0.1, maxS) * 1000;
    if (out === undefined && shell.isTerminal)
      throw new UsageError("a terminal cannot show sound. Give it --out FILE, or a pipe.");
    const bus = await shell.connect();
    const end = new AbortController();
    const tell = (line: string) => shell.tell(`voxbus: ${line}`);
    let add = (_packet: Uint8Array): void => undefined;
    const { dropped } = hear(bus, { device, isSpeaker: side === "speaker" }, (packet) => add(packet));
    await bus.flush();
    if (bus.stats().denied > 0) throw new CommandError(`NATS does not permit it to hear the ${side} of ${device}`);
    const file = out === undefined ? undefined : openFile(out);
    const sink = createSink({ write: file?.write ?? shell.write, tell, failed: (error) => end.abort(error) });
    const waiting = file === undefined ? shell.waiting : () => 0;
    const output = createLiveOutput({ tell: shell.tell, waiting }, "packets");
    add = (packet) => output.offer(() => sink.add(packet));
    tell(`listening to the ${side} of ${device}, Ctrl-C ends it`);
    await untilAborted(
      shell.signal,
      shell.readerGone,
      end.signal,
      ...(ms === undefined ? [] : [AbortSignal.timeout(ms)]),
    );
    if (end.signal.aborted) throw end.signal.reason;
    if (shell.readerGone.aborted) return;
    output.end();
    sink.end(dropped());
    file?.close();
  },
});

/** Subscribes to the packets of one side of a device. Returns the number of those that had no room. */
function hear(
  bus: Bus,
  { device, isSpeaker }: { readonly device: string; readonly isSpeaker: boolean },
  add: (packet: Uint8Array) => void,
): { readonly dropped: () => number } {
  if (!isSpeaker) {
    bus.subscribe(channels.inAudio(device), ({ body }) => add(body));
    return { dropped: () => 0 };
  }
  const played = createPlayedSound();
  bus.subscribe(channels.out(device), (frame) => {
    if (frame.kind === "audio") played.add(frame).forEach(add);
  });
  bus.subscribe(channels.event(device), ({ turn }) => {
    if (turn !== undefined) played.end(turn).forEach(add);
  });
  return played;
}

/** Where a stream of sound goes. */
interface SinkOptions {
  /** Throws CommandError when it cannot write. */
  readonly write: (bytes: Uint8Array) => void;
  readonly tell: (line: string) => void;
  /** Called with the error of `write`. */
  readonly failed: (error: unknown) => void;
}

/** Makes an Ogg Opus stream of packets. Invalid ones are left out and counted. */
function createSink({ write, tell, failed }: SinkOptions) {
  const writer = createOggOpusWriter({ pageMs });
  let invalid = 0;
  return {
    add(packet: Uint8Array): void {
      try {
        const bytes = writer.write(Uint8Array.from(packet));
        if (bytes.byteLength > 0) write(bytes);
      } catch (error) {
        if (!(error instanceof OpusPacketError)) return failed(error);
        invalid += 1;
        if (invalid === 1) tell(`invalid Opus packet left out: ${error.message}`);
      }
    },
    end(dropped: number): void {
      write(writer.close());
      const losses = [
        ...(invalid > 0 ? [`${invalid} invalid packets left out`] : []),
        ...(dropped > 0 ? [`${dropped} packets of long replies left out`] : []),
      ];
      tell([`wrote ${(writer.durationMs / 1000).toFixed(1)} s of sound`, ...losses].join(", "));
    },
  };
}

/**
 * Opens a new file to write, readable only by its owner (mode 0600), or a device or pipe that exists. It and its functions throw
 * CommandError that names the file, also if it exists.
 */
function openFile(path: string) {
  const attempt = <T>(work: () => T): T => {
    try {
      return work();
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      if (code === "EEXIST") throw new CommandError(`${path} exists, and listen never overwrites a file.`, { cause });
      throw new CommandError(`cannot write ${path} (${code ?? message})`, { cause });
    }
  };
  const isSpecial = attempt(() => statSync(path, { throwIfNoEntry: false }))?.isFile() === false;
  const file = attempt(() => openSync(path, isSpecial ? "w" : "wx", 0o600));
  return {
    write: (bytes: Uint8Array) => attempt(() => writeFileSync(file, bytes)),
    close: () => attempt(() => closeSync(file)),
  };
}

import type { Bus } from "@voxbus/bus";
import { createRecording, type RecordingWriter } from "../recording/writer.ts";
import { createProfileReader } from "./profile-reader.ts";

/** The devices to record, and the end of the recording. */
export interface RecordOptions {
  /** The new file. */
  readonly path: string;
  /** The devices; undefined: the whole fleet. */
  readonly devices: readonly string[] | undefined;
  /** The subjects to record. */
  readonly subjects: readonly string[];
  /** The longest time, in ms; undefined: until the signal. */
  readonly durationMs: number | undefined;
  /** The largest size of the file, in bytes. */
  readonly maxBytes: number;
}

/** The end of a recording. */
export interface Recorded {
  readonly messages: number;
  readonly bytes: number;
  readonly devices: number;
  readonly lost: RecordingWriter["lost"];
  /** Why profiles are missing; undefined if none is. */
  readonly profileProblem: unknown;
  readonly endedBy: "signal" | "duration" | "size";
}

/**
 * Records the messages of devices until the signal, the longest time or the largest size. `started` is called when every
 * subscription stands. Throws the error of the disk.
 */
export async function record(
  bus: Bus,
  { path, devices, subjects, durationMs, maxBytes }: RecordOptions,
  started: () => void,
  signal: AbortSignal,
): Promise<Recorded> {
  const recording = await createRecording({ path, devices: devices && [...devices] });
  const seen = new Set<string>();
  const profiles = createProfileReader(bus, (device, profile) =>
    recording.writeProfile(device, JSON.stringify(profile)),
  );
  let end = (_by: Recorded["endedBy"]): void => undefined;
  const ended = new Promise<Recorded["endedBy"]>((resolve) => (end = resolve));
  const subscriptions = subjects.map((subject) =>
    bus.subscribeRaw(subject, (message) => {
      if (recording.bytes >= maxBytes) return end("size");
      seen.add(message.device);
      profiles.see(message.device);
      recording.write(message);
    }),
  );
  const watch = bus.onChange((connected) => connected || recording.noteAway());
  const timer = durationMs === undefined ? undefined : setTimeout(() => end("duration"), durationMs);
  const stop = () => end("signal");
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  try {
    await bus.flush();
    started();
    const endedBy = await Promise.race([ended, recording.failed]);
    for (const subscription of subscriptions) subscription.close();
    const profileProblem = await profiles.done();
    await recording.end();
    return {
      profileProblem,
      messages: recording.messages,
      bytes: recording.bytes,
      devices: seen.size,
      lost: recording.lost,
      endedBy,
    };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    watch.close();
    for (const subscription of subscriptions) subscription.close();
  }
}

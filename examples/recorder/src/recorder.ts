import { resolve } from "node:path";
import { startAtZero, z, type Context, type Program } from "@voxbus/subscriber";
import { removeOldest } from "./files.ts";
import { losses, startRecording, type Loss, type Recording } from "./recording.ts";

const recorderConfig = {
  VOXBUS_RECORDER_DIR: z.string().min(1).default("recordings").describe("folder for the recordings"),
  VOXBUS_RECORDER_DEVICE: z.string().optional().describe("record this device only; unset: every device"),
  VOXBUS_RECORDER_PART_S: z.coerce
    .number()
    .min(1)
    .max(86_400)
    .default(600)
    .describe("sound in one file, s; then the next file begins"),
  VOXBUS_RECORDER_MAX_MB: z.coerce
    .number()
    .min(1)
    .max(1_000_000)
    .default(1000)
    .describe("size of all recordings, MB; the oldest are removed beyond it"),
};

/** The program recorder: its name and variables. */
export const recorder: Program<typeof recorderConfig> = { name: "recorder", config: recorderConfig };

/** Sessions that are recorded at once. */
const maxSessions = 500;
/** A session that is silent for this long is over: its gateway may have died without a word. */
const idleMs = 10 * 60_000;
const sweepMs = 10_000;

/**
 * Records devices: their sound as Ogg Opus files, and their turns as JSON files beside them. It is for systems whose users
 * know that they are recorded. The log has nothing of what they say.
 */
export function buildRecorder({ config, on, log, meter, defer }: Context<typeof recorderConfig>): void {
  const folder = resolve(config.VOXBUS_RECORDER_DIR);
  const where = { device: config.VOXBUS_RECORDER_DEVICE };
  const description = "packets that are missing, by reason";
  const missing = startAtZero(meter.createCounter("voxbus_recorder_losses", { description }), {
    reason: [...losses, "too-many-sessions"],
  });
  const sessions = new Map<string, Recording>();
  const lost = (reason: Loss | "too-many-sessions") => missing.add(1, { reason });

  /** Finds the recording of a session, or starts one if there is room. */
  function of(device: string, session: string | undefined): Recording | undefined {
    // An announcement may name no session. It belongs to the one that is open.
    const key = session ?? newestOf(device);
    if (key === undefined) return undefined;
    const known = sessions.get(`${device} ${key}`);
    if (known !== undefined) return known;
    if (sessions.size >= maxSessions) {
      lost("too-many-sessions");
      return undefined;
    }
    const failed = (err: unknown) => log.error({ err, device }, "recording failed");
    const partMs = config.VOXBUS_RECORDER_PART_S * 1000;
    const started = startRecording({ folder, device, session: key, partMs, lost, failed, now: Date.now });
    sessions.set(`${device} ${key}`, started);
    return started;
  }
  function newestOf(device: string): string | undefined {
    const keys = [...sessions.keys()].filter((key) => key.startsWith(`${device} `));
    return keys.at(-1)?.slice(device.length + 1);
  }
  async function end(key: string): Promise<void> {
    const recording = sessions.get(key);
    sessions.delete(key);
    await recording?.close();
  }
  async function removeOldRecordings(): Promise<void> {
    const isOpen = (path: string) => [...sessions.values()].some((recording) => recording.isOpen(path));
    try {
      const removed = await removeOldest(folder, { maxBytes: config.VOXBUS_RECORDER_MAX_MB * 1e6, isOpen });
      if (removed > 0) log.info({ files: removed }, "oldest recordings removed");
    } catch (err) {
      // Until the first recording there is no folder.
      if ((err as NodeJS.ErrnoException).code !== "ENOENT") log.error({ err }, "recordings not removed");
    }
  }

  on.audio((frame, { device }) => of(device, frame.session)?.audio(frame), where);
  on.text((frame, { device }) => of(device, frame.session)?.typed(frame), where);
  on.heard((heard, { device }) => of(device, heard.session)?.heard(heard), where);
  on.say((say, { device }) => of(device, say.session)?.said(say), where);
  on.event(({ session, turn, state }, { device }) => {
    const key = `${device} ${session}`;
    if (turn !== undefined) sessions.get(key)?.ended(turn);
    if (state === "closed") void end(key);
  }, where);

  const timer = setInterval(() => {
    for (const [key, { usedAt }] of sessions) if (Date.now() - usedAt > idleMs) void end(key);
    void removeOldRecordings();
  }, sweepMs);
  defer(async () => {
    clearInterval(timer);
    await Promise.all([...sessions.keys()].map((key) => end(key)));
  });
}

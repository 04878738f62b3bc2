import { jsonOption, readList, readNumber } from "../arguments.ts";
import { command, CommandError, UsageError } from "../command.ts";
import { withAdmin } from "../connect-admin.ts";
import { record, type Recorded } from "../record/record.ts";
import { recordedSubjects } from "../recording/moments.ts";
import { readDevice } from "../subjects.ts";

const defaultMegabytes = "1024";
const maxDevices = 1024;
/** The most subjects that the last line names. */
const maxNamed = 8;

const endings: Readonly<Record<Recorded["endedBy"], string>> = {
  signal: "stopped",
  duration: "its time is over",
  size: "its file has the size of --max-mb",
};

/** `voxbus record`: the messages of devices into a file, with their times. */
export const recordCommand = command({
  name: "record",
  summary: "Records devices into a file, with the times of their messages",
  parameters: ["FILE"],
  options: {
    device: { value: "ID,ID", meaning: "the devices" },
    fleet: { meaning: "every device, instead of --device" },
    for: { value: "S", meaning: "end after S seconds; without it, Ctrl-C ends the recording" },
    "max-mb": { value: "MB", meaning: "end when the file has MB megabytes", fallback: defaultMegabytes },
    ...jsonOption,
  },
  details: `The file holds what devices sent and were sent, transcripts, answers and events: what people said, and their voices. Only
its owner can read it (mode 0600). A file that exists is not overwritten. voxbus replay plays it.

  voxbus record bug.voxbus --device kitchen          until Ctrl-C
  voxbus record night.voxbus --fleet --for 3600`,
  async run({ parameters: [path = ""], options }, shell) {
    const devices = readDevices(options.device, options.fleet);
    const durationMs = options.for === undefined ? undefined : readNumber(options.for, "--for", 0.1, 604_800) * 1000;
    const maxBytes = readNumber(options["max-mb"], "--max-mb", 0.001, 1_048_576) * 1_000_000;
    const all = (devices ?? ["*"]).flatMap(recordedSubjects);
    const denied = await withAdmin(shell, (admin) => admin.denied(all));
    if (denied.length === all.length)
      throw new CommandError(`NATS permits none of the messages of ${options.device ?? "the fleet"}.`);
    const isDenied = new Set(denied);
    const subjects = all.filter((subject) => !isDenied.has(subject));
    const bus = await shell.connect();
    const started = () =>
      shell.tell(`Recording into ${path}. It holds what people say: keep it as carefully as their words.`);
    try {
      const end = await record(bus, { path, devices, subjects, durationMs, maxBytes }, started, shell.signal);
      const { profileProblem, ...rest } = end;
      if (profileProblem instanceof Error) shell.tell(`Not all profiles are recorded: ${profileProblem.message}`);
      if (options.json) shell.print(JSON.stringify({ file: path, ...rest, denied }));
      else shell.print(describe(path, end, denied));
    } catch (cause) {
      throw explain(path, cause);
    }
  },
});

/** Reads a list of devices. Undefined: the fleet. Throws UsageError. */
export function readDevices(list: string | undefined, fleet: boolean): readonly string[] | undefined {
  if ((list === undefined) === !fleet)
    throw new UsageError("Name devices with --device ID,ID, or record all with --fleet.");
  return list === undefined ? undefined : readDeviceList(list);
}

function readListed(id: string): string {
  try {
    return readDevice(id);
  } catch (cause) {
    throw new UsageError(`"${id}" is not a device id: ${(cause as Error).message}`, { cause });
  }
}

/** Reads the value of `--device`. Throws UsageError that names the wrong id. */
export function readDeviceList(list: string): readonly string[] {
  const ids = [...new Set(readList(list).map(readListed))];
  if (ids.length > maxDevices) throw new UsageError(`--device takes at most ${maxDevices} devices.`);
  return ids;
}

function describe(
  path: string,
  { messages, bytes, devices, lost, endedBy }: Recorded,
  denied: readonly string[],
): string {
  const lostCount = lost["queue-full"] + lost.oversized;
  const loss =
    lostCount === 0 ? "" : ` ${lostCount} messages are missing (${lost["queue-full"]} because the disk was too slow).`;
  const named = denied.slice(0, maxNamed).join(", ");
  const more = denied.length > maxNamed ? ` and ${denied.length - maxNamed} more` : "";
  const denial = denied.length === 0 ? "" : ` NATS does not permit ${named}${more}.`;
  return `${path}: ${messages} messages of ${devices} ${devices === 1 ? "device" : "devices"}, ${bytes} bytes (${endings[endedBy]}).${loss}${denial}`;
}

function explain(path: string, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "EEXIST") return new CommandError(`${path} exists, and a recording never overwrites a file.`, { cause });
  return code === undefined ? cause : new CommandError(`Cannot write ${path} (${code}).`, { cause });
}

import { defaultPorts } from "@voxbus/protocol";
import { jsonOption, readNumber } from "../arguments.ts";
import { command, CommandError, exitCodes, UsageError, type Shell } from "../command.ts";
import { toJson } from "../json.ts";
import { RecordingError } from "../recording/format.ts";
import { refuseBystanders } from "../replay/bystanders.ts";
import type { Comparison } from "../replay/compare.ts";
import { nameDevices } from "../replay/ids.ts";
import { guardOffline } from "../replay/offline-guard.ts";
import type { Plan } from "../replay/plan.ts";
import { giveProfiles, type StandInProfiles } from "../replay/stand-in-profiles.ts";
import { planReplay, replay, type ReplayedResult } from "../replay/replay.ts";
import { openSocketTarget } from "../replay/socket-target.ts";
import type { Exchange } from "../replay/witness.ts";
import { readDevice } from "../subjects.ts";
import { readDeviceList } from "./record.ts";

const localUrl = `ws://127.0.0.1:${defaultPorts.gateway.device}/xiaozhi/v1/`;

/** `voxbus replay`: a recording into a gateway. */
export const replayCommand = command({
  name: "replay",
  summary: "Replays a recording into a gateway and compares the answers",
  parameters: ["FILE"],
  options: {
    to: { value: "URL", meaning: "the WebSocket of the gateway", fallback: localUrl },
    live: { meaning: "replay although devices are online here" },
    token: { value: "TOKEN", meaning: "bearer token of the devices" },
    device: { value: "ID,ID", meaning: "only these of the recorded devices" },
    as: { value: "ID", meaning: "the id of the device here, instead of replay-ID" },
    "keep-ids": { meaning: "the devices keep their ids" },
    speed: { value: "N", meaning: "how many times faster, 0.1 to 10", fallback: "1" },
    patience: { value: "S", meaning: "longest wait for an answer that the recording has, in seconds", fallback: "20" },
    profiles: { meaning: "the devices here have the recorded profiles while it runs" },
    check: { meaning: "exit with 1 if something else was heard or said than in the recording" },
    ...jsonOption,
  },
  details: `Each recorded device becomes a device with a WebSocket of its own, and sends what it sent, at the same times. If an answer
comes later than in the recording, the device waits for it. Nothing that was sent to a device is replayed.

A replay speaks to no one by accident. The default is a gateway on this machine, and it is refused while devices are online
there, unless --live is given. If NATS does not tell who is online, it says so and goes on. Devices get new ids
(replay-ID). With --as or --keep-ids, a device that is online is refused; NATS has to be reachable then. But the system
acts on what it hears: its tools and programs do what the recorded people asked for.

  voxbus replay bug.voxbus                              into the system on this machine
  voxbus replay night.voxbus --device hall --speed 4 --check`,
  async run({ parameters: [path = ""], options }, shell) {
    const url = readUrl(options.to);
    const speed = readNumber(options.speed, "--speed", 0.1, 10);
    const patienceMs = readNumber(options.patience, "--patience", 0, 600) * 1000;
    const devices = options.device === undefined ? undefined : readDeviceList(options.device);
    const as = options.as === undefined ? undefined : readDevice(options.as);
    const plan = await planReplay(path, devices).catch((cause: unknown) => Promise.reject(explain(path, cause)));
    const ids = nameDevices(plan.devices.keys(), { as, keepIds: options["keep-ids"] });
    for (const line of describeGaps(plan)) shell.tell(line);
    if (options.profiles && options["keep-ids"])
      throw new UsageError("--profiles and --keep-ids exclude each other: a device that keeps its id has its profile.");
    if (url === localUrl && !options.live) await refuseBystanders(shell);
    let target = openSocketTarget(url, options.token);
    let profiles: StandInProfiles | undefined;
    try {
      const isGuarded = as !== undefined || options["keep-ids"] || options.profiles;
      if (isGuarded) target = await guardOffline(target, await shell.connect(), shell.signal);
      if (options.profiles) profiles = await setProfiles(plan, ids, shell);
      shell.tell(
        `Replaying ${plan.devices.size} ${plan.devices.size === 1 ? "device" : "devices"} into ${url}. This takes about ${secondsOf(plan, speed)} s.`,
      );
      const results = await replay({ path, plan, ids, target, speed, patienceMs }, shell.signal);
      return report(results, { ...options, shell });
    } finally {
      await target.close();
      await profiles?.remove();
    }
  },
});

async function setProfiles(plan: Plan, ids: ReadonlyMap<string, string>, shell: Shell): Promise<StandInProfiles> {
  const recorded = [...plan.profiles].flatMap(([device, profile]) => {
    const id = ids.get(device);
    return id === undefined ? [] : [[id, profile] as const];
  });
  if (recorded.length < ids.size)
    shell.tell(`The recording has the profiles of ${recorded.length} of ${ids.size} devices.`);
  const profiles = await giveProfiles(await shell.connect(), new Map(recorded));
  for (const id of profiles.kept) shell.tell(`${id} has a profile already, which stays.`);
  return profiles;
}

function readUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && (url.protocol === "ws:" || url.protocol === "wss:")) return text;
  throw new UsageError(`--to is the WebSocket URL of a gateway, such as ${localUrl}, not "${text}".`);
}

function secondsOf({ from, to }: Plan, speed: number): number {
  return Math.ceil((to - from) / speed / 1000);
}

function explain(path: string, cause: unknown): unknown {
  if (cause instanceof RecordingError) return new CommandError(`${path}: ${cause.message}`, { cause });
  const { code } = cause as NodeJS.ErrnoException;
  return code === undefined ? cause : new CommandError(`Cannot read ${path} (${code}).`, { cause });
}

/** Tells what the recording misses. */
function describeGaps({ devices, lost, unreadable, refused, cut, isOpenEnded }: Plan): readonly string[] {
  const missing = [...devices.values()].reduce((sum, device) => sum + device.missing, 0);
  const isAway = lost.some(({ reason }) => reason === "nats-away");
  const messages = lost.reduce((sum, one) => sum + (one.messages ?? 0), 0);
  return [
    ...(cut === undefined ? [] : [`The recording ends in the middle of a record: ${cut} bytes are left out.`]),
    ...(isOpenEnded && cut === undefined ? ["The recording has no end: its recorder was killed."] : []),
    ...(messages > 0 ? [`The recorder left out ${messages} messages.`] : []),
    ...(isAway ? ["NATS was away while it was recorded."] : []),
    ...(missing > 0 ? [`${missing} frames of devices are missing.`] : []),
    ...(refused > 0 ? [`${refused} texts are not compared, because the recording has too many.`] : []),
    ...(unreadable > 0 ? [`${unreadable} messages do not decode and are left out.`] : []),
  ];
}

interface Reporting {
  readonly json: boolean;
  readonly check: boolean;
  readonly shell: Shell;
}

function report(results: readonly ReplayedResult[], { json, check, shell }: Reporting): number {
  for (const { device, id, comparisons, sent, unsent, overdue, error } of results) {
    if (json)
      for (const { recorded, replayed, isSame } of comparisons)
        shell.print(toJson({ device, id, isSame, recorded, replayed }));
    else {
      shell.print(`${device} as ${id}: ${sent} frames sent`);
      for (const comparison of comparisons) for (const line of describe(comparison, shell)) shell.print(line);
    }
    if (unsent > 0) shell.tell(`${id}: ${unsent} frames had no session, because the gateway had closed it.`);
    if (overdue > 0) shell.tell(`${id}: ${overdue} times an answer did not come as in the recording.`);
    if (error instanceof Error) shell.tell(`${id}: ${error.message}`);
  }
  const all = results.flatMap(({ comparisons }) => comparisons);
  const same = all.filter(({ isSame }) => isSame).length;
  shell.tell(`${same} of ${all.length} exchanges are the same as in the recording.`);
  const isFailed = results.some(({ error, unsent }) => error !== undefined || unsent > 0);
  return isFailed || (check && same < all.length) ? exitCodes.failed : exitCodes.ok;
}

function describe({ recorded, replayed, isSame }: Comparison, { paint }: Shell): readonly string[] {
  if (isSame && recorded !== undefined) return [`  ${paint("green", "same")}      ${show(recorded)}`];
  return [
    `  ${paint("red", "recorded")}  ${recorded === undefined ? "nothing" : show(recorded)}`,
    `  ${paint("red", "replayed")}  ${replayed === undefined ? "nothing" : show(replayed)}`,
  ];
}

/** Shows an exchange in a line, with its controls escaped. */
function show({ heard, said }: Exchange): string {
  return [heard, said.join(" ")].map((text) => toJson(text)).join(" -> ");
}

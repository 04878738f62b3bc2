import { setTimeout as sleep } from "node:timers/promises";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { startNatsServer } from "@voxbus/testing";
import { closeCodes } from "@voxbus/protocol";
import { launchSystem } from "../e2e/launcher.ts";
import { makeAbsurdValues } from "./absurd.ts";
import { startBystander, type BystanderReport } from "./bystander.ts";
import { deliver, makeMessages, messagesPerConnection } from "./messages.ts";
import { createRandom } from "./random.ts";
import { rawTargets } from "./raw.ts";
import { countOutcome, type Finding, type Outcomes } from "./report.ts";
import { readStats, type Stats } from "./stats.ts";
import { makeBusMessage, type BusMessage } from "./subjects.ts";
import { connectVictims } from "./victims.ts";
import { startWatch, type Stretch } from "./watch.ts";

/** The number of inputs for each target. */
export interface Shares {
  readonly messages: number;
  readonly raw: number;
  readonly bus: number;
}

/** The results of a run against the whole system. */
export interface SystemReport {
  readonly outcomes: Outcomes;
  readonly findings: readonly Finding[];
  /** Problems that cannot be traced to one input. */
  readonly problems: readonly string[];
  /** The warm-up, and the rest of the run. */
  readonly warmUp: Stretch;
  readonly rest: Stretch;
  readonly bystander: BystanderReport;
}

const atOnce = 12;
const burst = 40;
const mostRecent = 100;
// The closes with which the gateway answers bad input.
const closeNames = new Map<string, string>(
  Object.entries(closeCodes).flatMap(([name, { code }]) =>
    [1002, 1007, 1009].includes(code) ? [[String(code), name]] : [],
  ),
);
const settleMs = 3000;
/** The largest growth of a program from the warm-up to the end, MB. A thread of an engine that starts meanwhile takes 64. */
const growthMb = 96 + 64;
/** The most CPU of a program, as a share of one core, averaged over the run. */
const busy = 0.95;
/** The most bytes that the gateway may buffer for the few devices of a run. */
const bufferedBytes = 64 * 1_048_576;
/** The bystander's slowest pong, ms. One bad input must not occupy a program for longer. */
const pongMs = 5000;

/** Starts a whole system and sends it WebSocket messages, bytes on its port, and bus messages, one kind after the other. */
export async function fuzzSystem(seed: number, shares: Shares, tell: (line: string) => void): Promise<SystemReport> {
  const nats = await startNatsServer();
  const system = await launchSystem({ env: { VOXBUS_NATS_URL: nats.url } });
  // The system ends with this process.
  const endSystem = () => void process.kill(system.pid, "SIGINT");
  process.once("exit", endSystem);
  const connection = await connect({ servers: nats.url });
  try {
    const url = system.devices[0] ?? "";
    const port = Number(new URL(url).port);
    const bystander = await startBystander({ url, ota: system.ota[0] ?? "" });
    const watch = startWatch(system, [{ program: "nats-server", pid: nats.pid }]);
    const run: Run = { seed, url, port, absurd: makeAbsurdValues(seed), outcomes: {}, findings: [], recent: [] };
    const problems: string[] = [];
    let warmUp: Stretch = { vitals: [], buffered: 0, problems: [] };
    try {
      await runRounds(run, shares, { connection, tell, warm: () => (warmUp = watch.lap()), problems });
    } catch (error) {
      problems.push(`the run failed: ${String(error)}`);
    }
    const died = /^voxbus +\| .* died .*$/m.exec(system.output())?.[0];
    if (died) run.findings.push({ target: "system", index: 0, what: died, input: run.recent.join("\n") });
    const report = await bystander.end();
    const rest = watch.lap();
    watch.end();
    problems.push(...judgeBystander(report), ...judgeStretches(warmUp, rest));
    return { outcomes: run.outcomes, findings: run.findings, problems, warmUp, rest, bystander: report };
  } finally {
    await connection.close();
    process.off("exit", endSystem);
    await system.close();
    await nats.stop();
  }
}

function judgeBystander({ problems, turns, pings }: BystanderReport): readonly string[] {
  const slowest = Math.max(0, ...pings);
  return [
    ...problems,
    ...(turns.length === 0 ? ["the bystander got no answer"] : []),
    ...(slowest > pongMs ? [`the bystander's slowest pong came after ${Math.round(slowest)} ms`] : []),
  ];
}

function judgeStretches(warmUp: Stretch, rest: Stretch): readonly string[] {
  // nats-server keeps stored messages for hours, so its growth is no finding.
  const ours = rest.vitals.filter(({ program }) => program !== "nats-server");
  return [
    ...warmUp.problems,
    ...rest.problems,
    ...ours.flatMap(({ program, pid, rss, cpu }) => {
      const before = warmUp.vitals.find((one) => one.pid === pid)?.rss ?? rss;
      return [
        ...(rss - before > growthMb ? [`${program} grew from ${before} to ${rss} MB`] : []),
        ...(cpu > busy ? [`${program} used ${cpu.toFixed(2)} of a core`] : []),
      ];
    }),
    ...(rest.buffered > bufferedBytes ? [`the gateway buffered ${rest.buffered} bytes`] : []),
  ];
}

/** Runs all kinds twice: a quarter as a warm-up, then the rest. */
async function runRounds(
  run: Run,
  shares: Shares,
  { connection, tell, warm, problems }: { connection: NatsConnection; tell: (line: string) => void; warm: () => void; problems: string[] }, // prettier-ignore
): Promise<void> {
  const rounds = [
    { name: "warm-up", from: 0, to: 0.25 },
    { name: "run", from: 0.25, to: 1 },
  ];
  for (const { name, from, to } of rounds) {
    const part = (inputs: number): readonly [number, number] => [Math.floor(inputs * from), Math.floor(inputs * to)];
    tell(`${name}: WebSocket messages`);
    problems.push(...(await fuzzMessages(run, part(shares.messages))));
    tell(`${name}: bytes on the gateway's port`);
    problems.push(...(await fuzzBytes(run, part(shares.raw))));
    tell(`${name}: bus messages`);
    problems.push(...(await fuzzBus(run, part(shares.bus), connection)));
    await sleep(settleMs);
    if (name === "warm-up") warm();
  }
}

interface Run {
  /** Remembers the last inputs, in hex: one of them may have ended a program. */
  readonly recent: string[];
  readonly seed: number;
  readonly url: string;
  readonly port: number;
  readonly absurd: readonly unknown[];
  readonly outcomes: Outcomes;
  readonly findings: Finding[];
}

function remember({ recent }: Run, input: string): void {
  recent.push(input);
  if (recent.length > mostRecent) recent.shift();
}

/** Calls `work` for each number of a range, several at a time. */
async function pool([from, to]: readonly [number, number], work: (index: number) => Promise<void>): Promise<void> {
  let next = from;
  const worker = async () => {
    for (let index = next++; index < to; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function fuzzMessages(run: Run, [from, to]: readonly [number, number]): Promise<readonly string[]> {
  const { seed, url, absurd, outcomes, findings } = run;
  const sure: Record<string, number> = {};
  const perhaps: Record<string, number> = {};
  const before = await readStats(run.port);
  const connections = [Math.floor(from / messagesPerConnection), Math.ceil(to / messagesPerConnection)] as const;
  await pool(connections, async (index) => {
    const { framing, messages } = makeMessages(seed, index, absurd);
    remember(run, messages.map(({ data }) => Buffer.from(data).toString("hex")).join(" "));
    const { all, stuck } = await deliver(url, `fuzz-${index % 50}-${index % 7}`, framing, messages);
    for (const { outcome } of messages) {
      const counts = all ? sure : perhaps;
      counts[outcome] = (counts[outcome] ?? 0) + 1;
      countOutcome(outcomes, "WebSocket message", outcome);
    }
    if (!stuck) return;
    const input = messages.map(({ data }) => Buffer.from(data).toString("hex")).join("\n");
    findings.push({ target: "WebSocket messages", index, what: "the gateway stopped answering", input });
  });
  const after = await readStats(run.port);
  return compare("WebSocket messages", before.drops, after.drops, { sure, perhaps });
}

async function fuzzBytes(run: Run, range: readonly [number, number]): Promise<readonly string[]> {
  const wheel = rawTargets.flatMap((target) => Array.from({ length: target.weight }, () => target));
  const before = await readStats(run.port);
  const refused: Record<string, number> = {};
  const broken: Record<string, number> = {};
  await pool(range, async (index) => {
    const target = wheel[createRandom(run.seed, "raw", index).below(wheel.length)]!;
    const pieces = target.make(createRandom(run.seed, target.name, index), index);
    remember(run, Buffer.concat(pieces).toString("hex"));
    const { answer, closed } = await target.send(run.port, pieces);
    const outcome = target.nameOutcome(answer, closed);
    countOutcome(run.outcomes, target.name, outcome);
    if (/^[a-z]+-/.test(outcome)) refused[outcome] = (refused[outcome] ?? 0) + 1;
    const close = closeNames.get(outcome);
    if (close) broken[close] = (broken[close] ?? 0) + 1;
    if (!/^[45]\d\d$/.test(outcome)) return;
    const input = Buffer.concat(pieces).toString("hex");
    run.findings.push({ target: target.name, index, what: `the answer ${outcome} has no name`, input });
  });
  const after = await readStats(run.port);
  // The gateway also counted messages whose answers were not read.
  return [
    ...compare("bytes", before.refusals, after.refusals, { sure: refused, perhaps: Infinity }),
    ...compare("bytes", before.closes, after.closes, { sure: broken, perhaps: Infinity }),
  ];
}

async function fuzzBus(
  run: Run,
  [from, to]: readonly [number, number],
  connection: NatsConnection,
): Promise<readonly string[]> {
  const { seed, absurd, outcomes } = run;
  const before = await readStats(run.port);
  const victims = await connectVictims(run.url, 4);
  const sure: Record<string, number> = {};
  const perhaps: Record<string, number> = {};
  const note = ({ target, refusal, atGateway }: BusMessage) => {
    countOutcome(outcomes, target, refusal ?? "well-formed");
    // The gateway counts malformed entries of the buckets that it reads.
    if (target.startsWith("KV ")) perhaps["bad-envelope"] = (perhaps["bad-envelope"] ?? 0) + 1;
    if (refusal === undefined || (target !== "out" && atGateway !== true)) return;
    const counts = atGateway ? sure : perhaps;
    counts[refusal] = (counts[refusal] ?? 0) + 1;
  };
  try {
    for (let index = from; index < to; index += 1) {
      const to = { gateway: before.gateway, victims: victims.sessions() };
      const message = makeBusMessage(createRandom(seed, "bus", index), to, absurd);
      remember(run, `${message.subject} ${Buffer.from(message.data).toString("hex")}`);
      connection.publish(message.subject, message.data);
      note(message);
      if (index % burst === 0) await connection.flush();
    }
    await connection.flush();
    await sleep(500);
  } finally {
    await victims.close();
  }
  const after = await readStats(run.port);
  return compare("bus", before.drops, after.drops, { sure, perhaps });
}

/** Lists the refusals with an unexpected count. A message over the device's budget is counted as `rate` instead. */
function compare(
  what: string,
  before: Stats["drops"],
  after: Stats["drops"],
  {
    sure,
    perhaps,
  }: { readonly sure: Readonly<Record<string, number>>; readonly perhaps: Readonly<Record<string, number>> | number },
): readonly string[] {
  const count = (name: string) => (after[name] ?? 0) - (before[name] ?? 0);
  return Object.entries(sure).flatMap(([name, made]) => {
    if (name === "taken") return [];
    const counted = count(name);
    const least = made - count("rate");
    const most = typeof perhaps === "number" ? perhaps : made + (perhaps[name] ?? 0);
    return counted >= least && counted <= most
      ? []
      : [`${what}: "${name}" was counted ${counted} times, not ${least} to ${most}`];
  });
}

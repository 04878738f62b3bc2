import type { Bus } from "@voxbus/bus";
import { channels, Profile } from "@voxbus/protocol";
import { startSubscriber, z, type Context } from "@voxbus/subscriber";
import { connectTestBus, silentLog } from "@voxbus/testing";
import { ulid } from "ulid";
import { expect, onTestFinished, vi } from "vitest";
import { createBusTools, type CallRun } from "./bus-tools.ts";
import { createCallRecords } from "./call-records.ts";
import { openToolDirectory } from "./directory.ts";
import { combineTools } from "./turn-tools.ts";

/** The description of every test tool. */
export const description = "For tests.";
/** A promise that never settles. */
export const never = new Promise<never>(() => undefined);

/** Starts a program that offers tools. It is stopped after the test. */
export async function startTools(url: string, setup: (context: Context) => void, prefix = "") {
  const env = { VOXBUS_NATS_URL: url, VOXBUS_NATS_PREFIX: prefix, VOXBUS_LOG_LEVEL: "fatal" };
  const program = await startSubscriber({ name: "tools" }, setup, env);
  onTestFinished(() => program.stop("quick"));
  return program;
}

/** Opens a dialogue's view of the tools, and waits until it knows some. */
export async function openTools(
  bus: Bus,
  names: readonly string[],
  options: {
    readonly timeoutMs?: number;
    readonly all?: number;
    readonly perProgram?: number;
    readonly everyMs?: number;
  } = {},
) {
  const { timeoutMs = 5000, all = 10, perProgram = 10, everyMs = 200 } = options;
  const runs: CallRun[] = [];
  const directory = openToolDirectory(bus, { log: silentLog, onSkipped: () => undefined, everyMs });
  onTestFinished(() => directory.close());
  const records = createCallRecords(bus);
  const most = { all, perTool: 3, perProgram };
  const tools = createBusTools({ bus, directory, records, timeoutMs, most, onCall: (run) => runs.push(run) });
  await vi.waitFor(() => expect(names.filter((name) => directory.find(name) === undefined)).toEqual([]));
  /** The tools of a turn, or those of another attempt at it. */
  const toolsOf = (turn = { device: "kitchen", session: ulid(), origin: 7 }) => {
    const source = tools.sourceOf(turn, { language: "en", profile: Profile.parse({ timeZone: "Europe/Rome" }) });
    return { ...combineTools([source], records.placesOf(turn)), turn };
  };
  return { directory, runs, toolsOf, outcomes: () => runs.map(({ outcome }) => outcome) };
}

/** Offers the tool `raw`, whose answers need not be valid, with a deadline of 300 ms. */
export async function offerRaw(url: string, answer: () => object | Promise<object>): Promise<Bus> {
  const bus = await connectTestBus(url);
  onTestFinished(() => bus.close());
  const metadata = { voxbus: "tool", description, schema: '{"type":"object"}', timeoutMs: "300" };
  const channel = { ...channels.tool("raw"), answer: z.any() };
  bus.serve({ name: "raw", version: "1.0.0" }).endpoint(channel, { name: "raw", metadata }, async () => answer());
  await bus.flush();
  return bus;
}

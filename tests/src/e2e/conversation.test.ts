import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Bus } from "@voxbus/bus";
import { startSubscriber, ToolError, z, type Context, type Running } from "@voxbus/subscriber";
import {
  connectTestBus,
  startModelServer,
  startNatsServer,
  type ChatEvent,
  type ChatRequest,
  type ModelServer,
  type NatsServer,
} from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startProgram, type StartedProgram } from "./accounts.ts";
import { connectTalker } from "./conversation-device.ts";
import { follow, promptFor, remember, type ChatMessage } from "./conversation-messages.ts";
import { createTurns, type Round, type Turn } from "./conversation-turns.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

let nats: NatsServer;
let bus: Bus;
let model: ModelServer;
let dialogue: StartedProgram;
let tools: Running;
let talker: Awaited<ReturnType<typeof connectTalker>>;
const undo: (() => unknown)[] = [];

const started: string[] = [];
let releaseOrder = (): void => undefined;
const city = z.object({ city: z.string() });

/** Offers the tools of a team's program. */
function offerTools({ tool }: Context): void {
  tool({ name: "weather", description: "Tells the weather.", schema: city }, ({ city }) => `Sunny in ${city}.`);
  tool({ name: "lamp", description: "Switches a lamp.", schema: z.object({ room: z.string() }) }, ({ room }) => {
    if (room === "attic") throw new ToolError("there is no lamp in the attic");
    return "";
  });
  tool({ name: "broken", description: "Fails." }, () => {
    throw new Error("a secret");
  });
  tool({ name: "slow", description: "Takes long." }, () => {
    started.push("slow");
    return new Promise(() => undefined);
  });
  tool({ name: "order", description: "Orders a pizza.", finishes: true }, () => {
    started.push("order");
    return new Promise((resolve) => (releaseOrder = () => resolve("The pizza is ordered.")));
  });
  tool({ name: "book", description: "Reads a book." }, () => "b".repeat(2000));
}

const start = (name: string, version: string, setup: (context: Context) => void) =>
  startSubscriber({ name, version }, setup, { VOXBUS_NATS_URL: nats.url, VOXBUS_LOG_LEVEL: "fatal" });

beforeAll(async () => {
  nats = await startNatsServer();
  undo.push(() => nats.stop());
  bus = await connectTestBus(nats.url);
  undo.push(() => bus.close());
  model = await startModelServer({}, { isStrict: true });
  undo.push(() => model.close());
  tools = await start("home", "1.0.0", offerTools);
  undo.push(() => tools.stop("quick"));
  const directory = await mkdtemp(join(tmpdir(), "voxbus-conversation-"));
  undo.push(() => rm(directory, { recursive: true }));
  const file = join(directory, "mcp.json");
  const server = fileURLToPath(new URL("notes-server.mjs", import.meta.url));
  await writeFile(file, JSON.stringify({ mcpServers: { notes: { command: process.execPath, args: [server] } } }));
  const env = { VOXBUS_NATS_URL: nats.url, VOXBUS_MCP_FILE: file };
  const bridge = await startProgram("apps/mcp/dist/main.js", { name: "mcp", env });
  undo.push(() => bridge.end());
  dialogue = await startProgram("apps/dialogue/dist/main.js", {
    name: "dialogue",
    env: {
      VOXBUS_NATS_URL: nats.url,
      VOXBUS_LLM_ENGINE: "openai",
      VOXBUS_LLM_URL: model.url,
      VOXBUS_LLM_MODEL: "strict",
      VOXBUS_DIALOGUE_HISTORY_TOKENS: "100000",
      VOXBUS_DIALOGUE_MOMENT_MS: "0",
      VOXBUS_DIALOGUE_TOOL_MOMENT_MS: "0",
    },
  });
  undo.push(() => dialogue.end());
  talker = await connectTalker(bus, {
    "self.lamp.set": ({ on }) => ({ result: { content: [{ type: "text", text: on ? "true" : "false" }] } }),
    "self.battery": () => ({ result: { content: [{ type: "text", text: "80 %" }] } }),
    "self.door.open": () => ({ result: { content: [{ type: "text", text: "it is locked" }], isError: true } }),
  });
  undo.push(() => talker.close());
});
afterAll(async () => {
  for (const step of undo.toReversed()) await step();
});

test("conversation: over thirty turns the model is given the history to the letter", async () => {
  const turns = createTurns({
    async update() {
      await tools.stop("quick");
      tools = await start("home", "2.0.0", (context) => {
        offerTools(context);
        context.tool({ name: "radio", description: "Plays radio." }, () => "It plays.");
      });
    },
    stop: () => tools.stop("quick"),
    finishOrder: () => releaseOrder(),
  });
  expect(turns).toHaveLength(30);
  const history: ChatMessage[] = [];
  let offered: readonly string[] = ["book", "broken", "lamp", "notes_read", "notes_write", "order", "slow", "weather"];
  for (const [place, turn] of turns.entries()) {
    await turn.before?.();
    offered = turn.offered ?? offered;
    const expected = ["self_lamp_set", "self_battery", "self_door_open", ...offered];
    if (turn.before || place === 0)
      await vi.waitFor(async () => expect(await listOffered()).toEqual(offered), { timeout: 30_000 });
    const requests: ChatRequest[] = [];
    model.script.chat = (request) => {
      const round = turn.rounds[requests.length];
      requests.push(request);
      return play(round ?? {}, turn);
    };
    const origin = await talker.ask(turn.user, turn.language);
    await interrupt(turn, origin, requests);
    const calls = turn.rounds.flatMap((round) => round.calls ?? []).filter(({ isKept = true }) => isKept);
    const end = turn.remembered?.endsWith("[interrupted]") ? "interrupted" : turn.remembered ? "failed" : undefined;
    await talker.remembers(origin, {
      user: turn.user,
      calls: calls.map(({ name, tool = name, args = {}, result, kept = result }) => {
        return { name: tool, args: JSON.stringify(args), text: kept };
      }),
      ...(end && { end }),
    });
    const made = requests.map(({ messages }) => messages.slice(1));
    expect(made, turn.user).toEqual(turn.rounds.map((_, round) => [...history, ...follow(turn, round)]));
    for (const request of requests) {
      expect(request.messages[0]?.content, turn.user).toMatch(promptFor(history));
      expect(
        request.tools?.map(({ function: { name } }) => name),
        turn.user,
      ).toEqual(expected);
    }
    history.push(...remember(turn, place));
  }
  expect(started).toEqual(["slow", "order"]);
  expect(await readCalls()).toMatchObject({
    "weather done": 6,
    "weather bad-arguments": 1,
    "lamp refused": 1,
    "broken failed": 1,
    "slow cancelled": 1,
    "order done": 1,
    "notes_read done": 6,
    "notes_write refused": 1,
  });
});

/** Plays one answer of the model. */
async function* play({ says, calls = [], fails }: Round, turn: Turn): AsyncGenerator<ChatEvent> {
  if (says !== undefined) yield says;
  for (const { name, args = {} } of calls) yield { name, args: JSON.stringify(args) };
  if (fails) throw new Error("the model is gone");
  if (turn.interrupt === "model") yield { end: "hang" };
}

/** Interrupts a turn at its place, or lets it come to its end. */
async function interrupt(turn: Turn, origin: number, requests: readonly ChatRequest[]): Promise<void> {
  if (turn.interrupt === undefined) return void (await talker.answerTo(origin));
  if (turn.interrupt === "speech") {
    await talker.answerTo(origin);
    await talker.remembers(origin, { user: turn.user });
    talker.stopAfter(origin, 0);
    return;
  }
  const tool = turn.rounds[0]?.calls?.[0]?.name;
  await vi.waitFor(() => expect(turn.interrupt === "model" ? requests.length : started.at(-1)).toBe(tool ?? 1), {
    timeout: 30_000,
  });
  await talker.fence(origin);
  await talker.remembers(origin, { end: "interrupted" });
  await turn.after?.();
}

/** Reads how many calls of each tool had each outcome, from the metrics of dialogue. */
async function readCalls(): Promise<Readonly<Record<string, number>>> {
  const metrics = await (await fetch(`${dialogue.addresses["ops"]}/metrics`)).text();
  const lines = metrics.matchAll(/^voxbus_dialogue_tool_calls_total\{tool="(\w+)",outcome="([\w-]+)".*\} (\d+)/gm);
  return Object.fromEntries([...lines].map(([, tool, outcome, count]) => [`${tool} ${outcome}`, Number(count)]));
}

/** Lists the tools that programs offer, once dialogue knows as many; before that, none. */
async function listOffered(): Promise<readonly string[]> {
  const found: string[] = [];
  const discovery = bus.discover(({ endpoints }) => found.push(...(endpoints?.map(({ name }) => name) ?? [])));
  discovery.ask();
  await vi.waitFor(() => expect(found.length).toBeGreaterThan(0));
  discovery.close();
  const metrics = await (await fetch(`${dialogue.addresses["ops"]}/metrics`)).text();
  const known = Number(/^voxbus_dialogue_tools(?:\{[^}]*\})? (\d+)/m.exec(metrics)?.[1]);
  return known === found.length ? found.toSorted() : [];
}

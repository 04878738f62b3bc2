import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decode, encode } from "@msgpack/msgpack";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { createInbox, type Inbox } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { root } from "../docs/markdown.ts";
import type { StartedProgram } from "../e2e/accounts.ts";
import { isAudio, isMessage, readSentences, startDevice, type ScriptedDevice } from "../e2e/scripted-device.ts";
import { startPageNats, type PageNats } from "./page-nats.ts";
import { prepareRecipe, type Recipe, type StartedRecipe } from "./recipe.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 300_000 });

/** The fields of `say` and `event` that the tests read. */
interface Seen {
  readonly origin?: number;
  readonly sentence?: number;
  readonly text?: string;
  readonly turn?: { readonly origin?: number; readonly reason?: string };
}

const page = "examples/brain/README.md";
/** Seconds between the sentences of the slow brain: far more than the first one takes to be spoken. */
const slowS = 8;
let recipe: Recipe;
let nats: PageNats;
let observer: NatsConnection;
let programs: readonly StartedProgram[] = [];
let program: StartedRecipe | undefined;
let device: ScriptedDevice | undefined;
const said: Seen[] = [];
const seen: Inbox<Seen> = createInbox<Seen>();

beforeAll(async () => {
  recipe = await prepareRecipe("python", page);
  if (recipe.missing !== undefined) return;
  const folder = join(recipe.folder, "slow/examples/brain");
  mkdirSync(folder, { recursive: true });
  const text = readFileSync(join(root, "examples/brain/brain.py"), "utf8");
  writeFileSync(join(folder, "brain.py"), text.replace("asyncio.sleep(0.3)", `asyncio.sleep(${slowS})`));
  nats = await startPageNats(page);
  programs = await Promise.all(["gateway", "dialogue", "tts"].map((name) => nats.startOwn(name)));
  observer = await connect({ servers: nats.server.url, user: "observer", pass: nats.password });
  await observer.request("$KV.voxbus_profiles.kitchen", '{"engines":{"llm":"none"}}');
  for (const subject of ["stored.device.kitchen.say.open", "stored.device.kitchen.say", "device.kitchen.event"]) {
    observer.subscribe(subject, {
      callback: (_error, { data }) => {
        const message = decode(data) as Seen;
        if (message.sentence !== undefined) said.push(message);
        seen.put(message);
      },
    });
  }
  await observer.flush();
  device = await startDevice(programs[0]!.addresses["device"]!, "kitchen");
});
afterAll(async () => {
  await device?.end();
  await program?.end();
  await observer?.close();
  await Promise.all(programs.map((one) => one.end()));
  await nats?.server.stop();
  recipe?.remove();
});

const start = (env: Readonly<Record<string, string>> = {}) =>
  recipe.start({
    VOXBUS_NATS_URL: nats.server.url,
    VOXBUS_NATS_USER: "brain",
    VOXBUS_NATS_PASSWORD: nats.password,
    ...env,
  });
const startSlow = () => start({ VOXBUS: join(recipe.folder, "slow") });
const sentence = (text: string) => isMessage({ type: "tts", state: "sentence_start", text });

test("brain: its sentences are spoken under the user of its page, and it apologizes", async ({ skip }) => {
  skip(recipe.missing !== undefined, recipe.missing);
  program = await start();
  const newer = { v: 2, session: "s1", listen: 1, utterance: 1, from: 5, origin: 77, text: "open the door" };
  observer.publish("stored.device.kitchen.heard", encode(newer));
  await device!.do({ do: "text", text: "open the door" });
  expect(readSentences(await device!.turn())).toEqual(["Let me see.", "The door is open.", "Shall I close it?"]);
  expect(said.filter(({ origin }) => origin === newer.origin)).toEqual([]);
  await device!.do({ do: "text", text: "what time is it" });
  expect(readSentences(await device!.turn())).toEqual(["I am sorry, I cannot answer that."]);
  await program.end();
  const skipped = "newer message skipped: stored.device.kitchen.heard";
  expect(program.output()).toBe(`ready\n${skipped}\nturn failed: LookupError\n`);
});

test("brain: it says nothing more after an interruption, and if it is killed the gateway apologizes", async ({
  skip,
}) => {
  skip(recipe.missing !== undefined, recipe.missing);
  program = await startSlow();
  const ask = async () => {
    const before = said.length;
    await device!.do({ do: "text", text: "open the door" });
    await device!.next(sentence("Let me see."));
    await device!.next(isAudio);
    await vi.waitFor(() => expect(said[before]).toMatchObject({ sentence: 0, text: "Let me see." }));
    return said[before]!.origin!;
  };
  const interrupted = await ask();
  await device!.do({ do: "abort" });
  await device!.next(isMessage({ type: "tts", state: "stop" }));
  const killed = await ask();
  // By now the first answer would have had its second sentence.
  await seen.take(({ origin, sentence: n }) => origin === killed && n === 1);
  expect(said.filter(({ origin }) => origin === interrupted).map(({ text }) => text)).toEqual(["Let me see."]);
  await program.end("SIGKILL");
  await seen.take(({ turn }) => turn?.origin === killed && turn.reason === "dry");
  await device!.next(isMessage({ type: "tts", state: "stop" }));
  program = await start();
  await device!.do({ do: "text", text: "open the door" });
  expect(readSentences(await device!.turn())).toEqual(["Let me see.", "The door is open.", "Shall I close it?"]);
});

import { decode, encode } from "@msgpack/msgpack";
import { connect, type Msg, type NatsConnection, PermissionViolationError } from "@nats-io/transport-node";
import { createInbox, type Inbox } from "@voxbus/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { StartedProgram } from "../e2e/accounts.ts";
import { startOtlpReceiver, type OtlpReceiver } from "../e2e/otlp-receiver.ts";
import { isAudio, isMessage, startDevice } from "../e2e/scripted-device.ts";
import { startPageNats, type PageNats } from "./page-nats.ts";
import { prepareRecipe, type Recipe, type RecipeName, type StartedRecipe } from "./recipe.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 300_000 });

let nats: PageNats;
let receiver: OtlpReceiver;
let gateway: StartedProgram;
const programs: StartedProgram[] = [];
let observer: NatsConnection;
let seen: Inbox<Msg>;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  nats = await startPageNats("docs/subscribers.md");
  for (const name of ["gateway", "dialogue", "tts"]) programs.push(await nats.startOwn(name, receiver.variables));
  gateway = programs[0]!;
  observer = await connect({ servers: nats.server.url, user: "observer", pass: nats.password });
  seen = createInbox<Msg>();
  observer.subscribe("device.>", { callback: (_error, message) => seen.put(message) });
  await observer.flush();
});
afterAll(async () => {
  await observer?.close();
  await Promise.all(programs.map((program) => program.end()));
  await nats?.server.stop();
  receiver?.close();
});

const traceOf = (message: Msg) => message.headers?.get("traceparent").split("-")[1];
const textOf = (message: Msg) => (decode(message.data) as { readonly text?: string }).text;

describe.each<RecipeName>(["typescript", "python", "go"])("the recipe in %s", (name) => {
  let recipe: Recipe;
  let program: StartedRecipe | undefined;
  beforeAll(async () => {
    recipe = await prepareRecipe(name);
  });
  afterAll(async () => {
    await program?.end();
    recipe?.remove();
  });

  // A new machine compiles Go's packages first.
  test("its tests pass", { timeout: 300_000 }, async ({ skip }) => {
    skip(recipe.missing !== undefined, recipe.missing);
    expect(await recipe.run()).toMatch(/\b(?:ok|OK|pass)/);
  });

  test("the device speaks, in the trace of the question, and NATS denies nothing", async ({ skip }) => {
    skip(recipe.missing !== undefined, recipe.missing);
    const login = { VOXBUS_NATS_USER: "doorbell", VOXBUS_NATS_PASSWORD: nats.password };
    program = await recipe.start({ VOXBUS_NATS_URL: nats.server.url, ...receiver.variables, ...login });
    const device = await startDevice(gateway.addresses["device"]!, `${name}-1`);
    await device.do({ do: "text", text: "open the door" });
    await device.next(isMessage({ type: "tts", state: "sentence_start", text: "The door is open." }));
    await device.next(isAudio);
    const asked = await seen.find(({ subject }) => subject === `device.${name}-1.in.text`);
    const said = await seen.find(
      (message) => message.subject === `device.${name}-1.say.open` && textOf(message) === "The door is open.",
    );
    expect(traceOf(asked)).toMatch(/^[0-9a-f]{32}$/);
    expect(traceOf(said)).toBe(traceOf(asked));
    await device.next(isMessage({ type: "tts", state: "stop" }));
    // One span for the answer of the assistant, and one for this program's.
    await vi.waitFor(
      () => {
        const spans = receiver.spans.filter((span) => span.name === "tts" && span.trace === traceOf(asked));
        expect(spans).toHaveLength(2);
      },
      { timeout: 15_000 },
    );
    await device.end();
  });

  test("the tool is found and called, and the program ends in order", async ({ skip }) => {
    skip(recipe.missing !== undefined, recipe.missing);
    const info = await observer.request("$SRV.INFO.doorbell", undefined, { timeout: 5000 });
    expect(info.json()).toMatchObject({
      name: "doorbell",
      endpoints: [{ name: "door", subject: "tool.door", metadata: { voxbus: "tool" } }],
    });
    const call = { id: "s1:9:1", device: "d1", session: "s1", origin: 9, args: { action: "open" }, deadline: 1 };
    const answer = await observer.request("tool.door", encode({ v: 1, ...call }), { timeout: 5000 });
    expect(decode(answer.data)).toEqual({ v: 1, text: "The door is open." });
    if (program === undefined) throw new Error("the program did not start");
    expect(await program.end()).toBe(0);
    expect(program.output()).not.toMatch(/permission|malformed/i);
    expect(program.output()).not.toMatch(/open/i);
  });
});

test("the user of the page: it may do no more than the program needs", async () => {
  const client = await connect({
    servers: nats.server.url,
    user: "doorbell",
    pass: nats.password,
    noAsyncTraces: true,
  });
  const denied = new Set<string>();
  void (async () => {
    for await (const status of client.status())
      if (status.type === "error" && status.error instanceof PermissionViolationError) denied.add(status.error.subject);
  })();
  const subjects = ["device.d1.out", "device.d1.in.text", "stats.gateway", "$JS.API.STREAM.DELETE.voxbus_TURNS"];
  for (const subject of subjects) client.publish(subject, "{}");
  const patterns = ["device.*.in.audio", "device.>", "_INBOX.tts.>"];
  for (const pattern of patterns) client.subscribe(pattern, { callback: () => undefined });
  await client.flush();
  await vi.waitFor(() => expect([...denied].toSorted()).toEqual([...subjects, ...patterns].toSorted()));
  await client.close();
});

import type { ServiceInfo } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import { connectTestBus, createInbox, startNatsServer } from "@voxbus/testing";
import { expect, onTestFinished, test, vi } from "vitest";
import { ConfigError, startSubscriber, type Context, type Program } from "./index.ts";
import { readMetrics, useTestPrograms } from "./test-programs.ts";

const programs = useTestPrograms();

/** Finds the services that answer, on a connection of a system. */
function discover(bus = programs.gateway) {
  const found = createInbox<ServiceInfo>();
  const discovery = bus.discover((service) => found.put(service));
  onTestFinished(() => discovery.close());
  return { found, ask: () => discovery.ask() };
}

test("capability: a program tells what it listens to and what it publishes, and who owns it", async () => {
  const about = { version: "1.2.0", owner: "home team", link: "https://example.org/doorbell" };
  const program = await programs.start(
    ({ on, send }) => {
      on.heard(() => undefined);
      send.alert("d1", "hello");
    },
    { name: "doorbell", ...about },
  );
  const { found, ask } = discover();
  ask();
  const { name, version, metadata } = await found.find(({ name }) => name === "doorbell");
  expect({ name, version, metadata }).toEqual({
    name: "doorbell",
    version: "1.2.0",
    metadata: {
      system: "voxbus",
      voxbus: "program",
      owner: about.owner,
      link: about.link,
      // `from.signal` follows the fence.
      consumes: "device.<id>.heard,device.<id>.in.control",
      produces: "device.<id>.out,stats.<program>",
    },
  });
  await program.stop("quick");
  const after = discover();
  after.ask();
  await programs.gateway.flush();
  expect(after.found.items).toEqual([]);
});

test("capability: what a program begins to use later is told too", async () => {
  const { context } = await programs.open({ name: "late" });
  context.on.event(() => undefined);
  await context.send.say("d1", "Dinner is ready.");
  const { found, ask } = discover();
  ask();
  const { metadata } = await found.find(({ name }) => name === "late");
  expect(metadata).toMatchObject({
    consumes: "device.<id>.event",
    produces: "device.<id>.say.open,stats.<program>",
  });
});

test("capability: a shadow tells that its results go below shadow, not to the devices", async () => {
  const env = { VOXBUS_NATS_URL: programs.nats.url, VOXBUS_LOG_LEVEL: "fatal", VOXBUS_SHADOW: "next" };
  const shadow = await startSubscriber(
    { name: "asr", shadow: [channels.heard.pattern] },
    async ({ bus }) => {
      const heard = { session: "s1", listen: 1, utterance: 1, from: 1, origin: 2, text: "hello", language: "en" };
      await bus.store(channels.heard("d1"), heard);
    },
    env,
  );
  onTestFinished(() => shadow.stop("quick"));
  const { found, ask } = discover();
  ask();
  const { metadata } = await found.find(({ name }) => name === "shadow");
  const produces = metadata?.["produces"]?.split(",") ?? [];
  expect(produces).toContain("shadow.<name>.device.<id>.heard");
  expect(produces).not.toContain("device.<id>.heard");
});

test("capability: systems with another prefix do not see it", async () => {
  await programs.open({ name: "ours" });
  const staging = await connectTestBus(programs.nats.url, { config: { VOXBUS_NATS_PREFIX: "staging" } });
  onTestFinished(() => staging.close());
  const theirs = discover(staging);
  theirs.ask();
  const ours = discover();
  ours.ask();
  await ours.found.find(({ name }) => name === "ours");
  await staging.flush();
  expect(theirs.found.items).toEqual([]);
});

test.each([
  [{ owner: "x".repeat(129) }, "owner of the program: expected at most 128 characters"],
  [{ link: "javascript:alert(1)" }, "link of the program: expected an http or https URL"],
  [{ version: "one" }, 'the version of test: expected one such as 1.4.0, got "one"'],
  [{ name: "a.b" }, "the service's name: expected 1 to 64"],
])("capability: %j stops the program at its start", async (wrong: Partial<Program>, message) => {
  const error: unknown = await programs.start(() => undefined, wrong).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as ConfigError).problems.join()).toContain(message);
});

test("a program that may only subscribe runs and hears, and needs nothing else", async () => {
  const nats = await startNatsServer({
    config: `authorization { users: [
      { user: all, password: a }
      { user: ears, password: b, permissions: { publish: { deny: ">" }, subscribe: { allow: ["device.*.in.text", "stored.device.*.heard"] } } }
    ] }`,
  });
  onTestFinished(() => nats.stop());
  const all = await connectTestBus(nats.url, { config: { VOXBUS_NATS_USER: "all", VOXBUS_NATS_PASSWORD: "a" } });
  onTestFinished(() => all.close());
  const heard = createInbox<string>();
  const lines: string[] = [];
  let context: Context | undefined;
  let reports = 0;
  const write = vi.spyOn(process.stdout, "write").mockImplementation((line) => lines.push(String(line)) > 0);
  onTestFinished(() => write.mockRestore());
  const program = await startSubscriber(
    { name: "ears" },
    (given) => {
      context = given;
      given.on.text(({ body }) => heard.put(body));
      given.on.heard(({ text }) => heard.put(text));
      given.report({ gauges: () => ({ reports: (reports += 1) }) });
    },
    { VOXBUS_NATS_URL: nats.url, VOXBUS_NATS_USER: "ears", VOXBUS_NATS_PASSWORD: "b" },
  );
  onTestFinished(() => program.stop("quick"));
  expect((await fetch(`${program.addresses["ops"]}/readyz`)).status).toBe(200);
  await all.store(channels.inText("d1"), { session: "s1", seq: 1, at: 1, kind: "text", body: "typed" });
  const spoken = { session: "s1", listen: 1, utterance: 1, from: 1, origin: 2, text: "spoken", language: "en" };
  await all.store(channels.heard("d1"), spoken);
  await heard.find((text) => text === "typed");
  await heard.find((text) => text === "spoken");
  await expect.poll(() => lines.join(""), { timeout: 10_000 }).toContain('"subject":"stats.ears"');
  expect(await readMetrics(program)).toMatch(/voxbus_bus_denied_total\{[^}]*\} [1-9]/);
  const { bus, reportSoon } = context!;
  const { denied } = bus.stats();
  const before = reports;
  reportSoon();
  await expect.poll(() => reports, { timeout: 10_000 }).toBeGreaterThan(before);
  // A report would have been denied before this is.
  bus.subscribe(channels.event("*"), () => undefined);
  await expect.poll(() => lines.join(""), { timeout: 10_000 }).toContain('"subject":"device.*.event"');
  expect(bus.stats().denied).toBe(denied + 1);
  expect(lines.join("")).not.toContain("JS.API");
});

import { connectTestBus } from "@voxbus/testing";
import { startSubscriber } from "@voxbus/subscriber";
import { expect, onTestFinished, test, vi } from "vitest";
import { startTestMonitor } from "../test-monitor.ts";

test("programs: the API shows who they are, and who listens to whom", async () => {
  const test = await startTestMonitor();
  onTestFinished(() => test.stop());
  const env = { VOXBUS_NATS_URL: test.nats.url, VOXBUS_LOG_LEVEL: "fatal" };
  const about = { version: "1.2.0", owner: "home team", link: "https://example.org/doorbell" };
  const doorbell = await startSubscriber(
    { name: "doorbell", ...about },
    ({ on, send }) => {
      on.text(() => undefined);
      send.alert("d1", "hello");
    },
    env,
  );
  onTestFinished(() => doorbell.stop("quick"));
  // A program that is not one of ours, and one of another system.
  const other = await connectTestBus(test.nats.url, { config: { VOXBUS_NATS_PREFIX: "staging" } });
  onTestFinished(() => other.close());
  for (const [bus, name] of [
    [test.bus, "billing"],
    [other, "theirs"],
  ] as const)
    bus.serve({ name, version: "1.0.0", ...(name === "theirs" && { metadata: () => ({ voxbus: "program" }) }) });

  // A monitor asks at its start.
  const second = await test.another({ VOXBUS_MONITOR_PORT: "0" });
  onTestFinished(() => second.stop("quick"));
  const read = async () =>
    (await (await fetch(`${second.addresses["monitor"]}api/services`)).json()) as {
      readonly programs: readonly { readonly name: string; readonly instances: number }[];
      readonly channels: readonly object[];
    };
  await vi.waitFor(async () =>
    expect((await read()).programs.map(({ name }) => name)).toEqual(["doorbell", "monitor"]),
  );
  const { programs, channels } = await read();
  expect(programs[0]).toEqual({
    name: "doorbell",
    versions: ["1.2.0"],
    instances: 1,
    owner: about.owner,
    link: about.link,
    consumes: ["device.<id>.in.control", "device.<id>.in.text"],
    produces: ["device.<id>.out", "stats.<program>"],
    tools: [],
  });
  expect(programs[1]?.instances).toBe(2);
  expect(channels).toContainEqual({ channel: "stats.<program>", from: ["doorbell", "monitor"], to: ["monitor"] });
  expect(channels).toContainEqual({ channel: "device.<id>.in.text", from: [], to: ["doorbell", "monitor"] });
});

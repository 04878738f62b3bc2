import type { Bus } from "@voxbus/bus";
import { channels, type Heard } from "@voxbus/protocol";
import { connectTestBus, encodeSpeech, loadSpeech, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCli } from "./test-cli.ts";

let nats: NatsServer;
let bus: Bus;

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterAll(async () => {
  await bus.close();
  await nats.stop();
});

/**
 * Runs a command whose reader reads nothing until the output is bounded, and then everything. `publish` is called meanwhile.
 * Gives the number that it left out.
 */
async function runStalled(args: readonly string[], publish: () => void) {
  const one = startCli(args, { VOXBUS_NATS_URL: nats.url });
  await one.told(/Ctrl-C ends it\n/);
  one.stall(true);
  const publishing = setInterval(publish, 50);
  try {
    await one.told(/^voxbus: the reader is too slow, \w+ are left out\n/m);
    one.stall(false);
    const [, leftOut] = await one.told(/^voxbus: (\d+) \w+ left out\n/m);
    clearInterval(publishing);
    one.kill("SIGINT");
    return { leftOut: Number(leftOut), ...(await one.ended) };
  } finally {
    clearInterval(publishing);
  }
}

test("output: lines for which a slow reader has no room are left out and counted, and then it goes on", async () => {
  let published = 0;
  const heard = { session: "s1", listen: 1, utterance: 1, from: 5, language: "en", text: "word ".repeat(10_000) };
  const { code, stdout, leftOut } = await runStalled(["tail", "device.kitchen.heard.partial", "--json"], () => {
    for (let at = 0; at < 8; at += 1)
      bus.publish(channels.heardPartial("kitchen"), { ...heard, origin: ++published } satisfies Heard);
  });
  const lines = stdout.split("\n").slice(0, -1);
  const origins = lines.map((line) => (JSON.parse(line) as { message: { origin: number } }).message.origin);
  const gap = origins.findIndex((origin, at) => origin !== at + 1);
  expect(code).toBe(0);
  expect(gap * heard.text.length).toBeLessThan(10 * 1_048_576);
  expect(origins[gap]! - gap - 1).toBe(leftOut);
});

test("output: packets for which a slow player has no room are left out and counted", async () => {
  const [packet = new Uint8Array()] = encodeSpeech(loadSpeech("time"));
  const body = Buffer.concat([packet, new Uint8Array(1000)]);
  let seq = 0;
  const { code, leftOut } = await runStalled(["listen", "kitchen"], () => {
    for (let at = 0; at < 500; at += 1)
      bus.publish(channels.inAudio("kitchen"), { session: "s1", seq: ++seq, at: 1, kind: "audio", body });
  });
  expect(code).toBe(0);
  expect(leftOut).toBeGreaterThan(0);
});

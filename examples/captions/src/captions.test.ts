import type { Bus } from "@voxbus/bus";
import { channels, stored, type Heard } from "@voxbus/protocol";
import { startSubscriber, type Running } from "@voxbus/subscriber";
import { connectTestBus, loose, startNatsServer } from "@voxbus/testing";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { buildCaptions, captions } from "./captions.ts";
import type { Output } from "./screen.ts";

let nats: Awaited<ReturnType<typeof startNatsServer>>;
let bus: Bus;
let program: Running | undefined;
let text = "";

beforeAll(async () => {
  nats = await startNatsServer();
  bus = await connectTestBus(nats.url);
});
afterEach(async () => {
  await program?.stop("quick");
  text = "";
});
afterAll(async () => {
  await bus?.close();
  await nats?.stop();
});

async function start(env: Record<string, string> = {}, isTTY = false) {
  const output: Output = { isTTY, writableLength: 0, write: (more) => (text += more), on: () => undefined };
  const all = { VOXBUS_NATS_URL: nats.url, VOXBUS_LOG_LEVEL: "fatal", ...env };
  program = await startSubscriber(captions, (context) => buildCaptions(context, output), all);
}

const heard = (words: string, reason?: Heard["reason"]): Heard => {
  return { session: "s1", listen: 1, utterance: 1, from: 2, origin: 9, text: words, language: "en", reason };
};

test("captions: typed and spoken questions, answers and interruptions are lines", async () => {
  await start();
  bus.publish(loose(channels.inText("d1")), { session: "s1", seq: 3, at: 1, kind: "text", body: "hello" });
  bus.publish(loose(stored(channels.heard("d1"))), heard("what time is it"));
  bus.publish(loose(stored(channels.heard("d1"))), heard("", "unrecognized"));
  bus.publish(loose(stored(channels.heard("d1"))), heard("", "nothing-heard"));
  const say = { reply: "r1", attempt: 1, sentence: 0, text: "It is ten.", last: true };
  bus.publish(loose(stored(channels.sayOpen("d1"))), say);
  const turn = { complete: false, reason: "fenced", fenced: 1, dropped: 0, late: 0 } as const;
  bus.publish(channels.event("d1"), { session: "s1", at: 1, gateway: "g1", turn });
  const mark = "d1               ";
  // Each kind comes on a subscription of its own, so only the order within a kind is certain.
  await vi.waitFor(() =>
    expect(text.split("\n").toSorted()).toEqual(
      [
        "",
        `${mark} > hello`,
        `${mark} > what time is it`,
        `${mark} > (not understood)`,
        `${mark} < It is ten.`,
        `${mark} < (interrupted)`,
      ].toSorted(),
    ),
  );
});

test("captions: in a terminal a partial transcript is shown until the final one comes", async () => {
  await start({}, true);
  bus.publish(channels.heardPartial("d1"), heard("what time"));
  await vi.waitFor(() => expect(text).toContain("> what time"));
  bus.publish(loose(stored(channels.heard("d1"))), heard("what time is it"));
  await vi.waitFor(() => expect(text.split("\r\x1b[K").at(-1)).toMatch(/^d1 +> what time is it\n$/));
});

test("captions: with VOXBUS_CAPTIONS_DEVICE other devices are left out", async () => {
  await start({ VOXBUS_CAPTIONS_DEVICE: "d2" });
  bus.publish(loose(stored(channels.heard("d1"))), heard("one"));
  bus.publish(loose(stored(channels.heard("d2"))), heard("two"));
  await vi.waitFor(() => expect(text).toBe("d2                > two\n"));
});

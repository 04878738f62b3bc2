import { channels, type OutControl } from "@voxbus/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { watchInbound } from "../test-gateways.ts";
import { openTestHub, type TestHub } from "../test-hub.ts";
import { ListenWatch } from "./listen-watch.ts";

const on = (seq: number) => ({ type: "listening", seq, state: "on" }) as const;

describe("listen watch", () => {
  test("signs that cease: the listen is abandoned after 15 s, and after twice as long the next time", () => {
    const watch = new ListenWatch();
    watch.start();
    watch.opened(5);
    expect(watch.isAbandoned(60_000)).toBe(false);
    watch.sign(on(5), 60_000);
    watch.sign(on(4), 70_000);
    expect(watch.isAbandoned(74_999)).toBe(false);
    expect(watch.isAbandoned(75_000)).toBe(true);
    watch.opened(9);
    watch.sign(on(9), 80_000);
    expect(watch.isAbandoned(109_999)).toBe(false);
    expect(watch.isAbandoned(110_000)).toBe(true);
  });

  test("a listen that is over, or whose new opening waits: is not abandoned", () => {
    const watch = new ListenWatch();
    watch.opened(5);
    watch.sign(on(5), 0);
    watch.sign({ type: "listening", seq: 5, state: "over" }, 1000);
    expect(watch.isAbandoned(1_000_000)).toBe(false);
    watch.opened(7);
    expect(watch.isAbandoned(1_000_000)).toBe(false);
    expect(watch.sign({ type: "listening", seq: 7, state: "again" }, 0)).toBe(true);
  });
});

describe("a listen without a recognizer", () => {
  let hub: TestHub;
  beforeAll(async () => {
    hub = await openTestHub();
  });
  afterAll(() => hub.close());

  async function listen(id: string, mode: string) {
    const inbound = await watchInbound(hub.bus, id);
    const device = await hub.connect(id);
    device.send({ type: "listen", state: "start", mode });
    const listens = () =>
      inbound.all.flatMap((frame) => (frame.kind === "control" && frame.body.type === "listen" ? [frame] : []));
    const opened = async (count: number) => {
      await expect.poll(() => listens().length, { timeout: 25_000 }).toBe(count);
      return listens().at(-1)!;
    };
    const sign = (seq: number, state: "on" | "over" | "again") => {
      const body: OutControl = { type: "listening", seq, state };
      hub.bus.publish(channels.out(id), { session: device.session, kind: "control", body });
    };
    return { device, opened, sign, listens };
  }

  test("is opened again: at once when the recognizer asks for it, and 15 s after its last sign", async () => {
    const { device, opened, sign } = await listen("left", "realtime");
    const first = await opened(1);
    sign(first.seq, "again");
    const second = await opened(2);
    expect(second.body).toEqual(first.body);
    sign(second.seq, "on");
    device.send({ type: "abort" });
    await opened(3);
  }, 40_000);

  test("is not opened again after its end", async () => {
    const stopped = await listen("stopped", "auto");
    const aborted = await listen("aborted", "manual");
    const over = await listen("over", "realtime");
    for (const { opened, sign } of [stopped, aborted, over]) sign((await opened(1)).seq, "on");
    over.sign((await over.opened(1)).seq, "over");
    stopped.device.send({ type: "listen", state: "stop" });
    aborted.device.send({ type: "abort" });
    await new Promise((resolve) => setTimeout(resolve, 18_000));
    for (const { listens } of [stopped, aborted, over]) expect(listens()).toHaveLength(1);
  }, 40_000);
});

import { channels } from "@voxbus/protocol";
import type { TestDevice } from "@voxbus/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openTestHub, type TestHub } from "../test-hub.ts";

let hub: TestHub;

beforeAll(async () => (hub = await openTestHub()));
afterAll(() => hub.close());

const cause = new Error("the profile cannot be read");
const fail = (): never => {
  throw cause;
};

/** Every way into a session. Each calls for the profile, which fails from `broken` on. */
const ways: Readonly<Record<string, (device: TestDevice, id: string, broken: () => void) => void | Promise<void>>> = {
  "a message of the device"(device, _id, broken) {
    broken();
    device.send({ type: "listen", state: "detect", text: "hello" });
  },
  "a frame of the bus"(_device, id, broken) {
    broken();
    const name = { reply: "r", attempt: 1, sentence: 0, n: 0 };
    hub.bus.publish(channels.out(id), { ...name, kind: "audio", duration: 60, body: new Uint8Array([1]) });
  },
  "a frame for a group"(_device, _id, broken) {
    broken();
    const body = { type: "alert" as const, status: "a", message: "b", emotion: "neutral" };
    hub.bus.publish(channels.groupOut("hall"), { kind: "text", body });
  },
  async "a tick of the clock"(_device, id, broken) {
    const name = { reply: "r", attempt: 1, sentence: 0 };
    for (let n = 0; n < 20; n += 1)
      hub.bus.publish(channels.out(id), { ...name, n, kind: "audio", duration: 60, body: new Uint8Array([1]) });
    await expect.poll(() => hub.sessions.holderOf(id)?.speaking).toBe(true);
    broken();
  },
  "the sweep"(device, id, broken) {
    device.send({ type: "listen", state: "start", mode: "auto" });
    void expect
      .poll(() => hub.sessions.holderOf(id)?.uplink.seq)
      .toBe(2)
      .then(broken);
  },
};

it.each(Object.keys(ways))(
  "session: an exception in %s ends that session only, and its cause is logged",
  async (way) => {
    const id = way.replaceAll(" ", "-");
    const bystander = await hub.connect(`${id}-bystander`);
    const device = await hub.connect(id);
    await expect.poll(() => hub.sessions.holderOf(id)?.state).toBe("active");
    const { closes, errors } = hub.counters;
    const before = [closes.get("error") ?? 0, errors.session_error];
    await ways[way]?.(device, id, () => hub.profiles.set(id, fail));
    expect(await device.closed).toEqual({ code: 1011, reason: "error" });
    expect([closes.get("error"), errors.session_error]).toEqual(before.map((n) => n + 1));
    expect(hub.logged.at(-1)).toEqual({ err: cause, message: "session failed, closing" });
    hub.profiles.delete(id);
    bystander.send({ type: "ping" });
    await bystander.next(({ type }) => type === "pong");
    bystander.vanish();
    await expect.poll(() => [hub.sessions.connections(), hub.memory.bytes, hub.wakeups()]).toEqual([0, 0, 0]);
  },
);

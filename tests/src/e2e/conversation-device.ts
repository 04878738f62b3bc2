import type { Bus } from "@voxbus/bus";
import { createRegistry } from "@voxbus/presence";
import { buckets, channels, stored, type DialogueTurn, type InControl, type Say } from "@voxbus/protocol";
import { ulid } from "ulid";
import { expect, vi } from "vitest";

/** A tool of the device: its answer to a call, as JSON-RPC. */
export type DeviceTool = (args: Readonly<Record<string, unknown>>) => object;

/** A device with tools as dialogue sees it on the bus, with its gateway and its recognizer. */
export async function connectTalker(bus: Bus, tools: Readonly<Record<string, DeviceTool>>) {
  const [device, session] = [`talker-${ulid()}`, ulid()];
  const load = () => ({ connections: 1, speaking: 0 });
  const registry = await createRegistry(bus, { id: "gateway", epoch: ulid(), address: "127.0.0.1", load });
  const state = { since: Date.now(), remote: "127.0.0.1", protocol: 1, features: { mcp: true } };
  await registry.enter(device, { session, ...state, state: "active" }, AbortSignal.timeout(10_000));
  const says: Say[] = [];
  const closers = [channels.sayOpen(device), channels.say(device)].map((channel) =>
    bus.subscribe(stored(channel), (say) => says.push(say)),
  );
  let seq = 0;
  const control = (body: InControl) => {
    seq += 1;
    const frame = { session, seq, at: Date.now(), kind: "control", body } as const;
    return bus.store(channels.inControl(device), frame, { id: `${session}:${seq}` });
  };
  const answer = (method: string, params: { readonly name?: string; readonly arguments?: object }): object => {
    if (method === "initialize") return { result: {} };
    const inputSchema = { type: "object", properties: {} };
    const list = Object.keys(tools).map((name) => ({ name, description: `Does ${name}`, inputSchema }));
    if (method === "tools/list") return { result: { tools: list } };
    return tools[params.name ?? ""]?.({ ...params.arguments }) ?? { error: { code: -1, message: "no such tool" } };
  };
  closers.push(
    bus.subscribe(channels.out(device), ({ kind, body }) => {
      if (kind !== "text" || body.type !== "mcp") return;
      const request = JSON.parse(body.payload) as { id: number; method: string; params: object };
      const payload = JSON.stringify({ jsonrpc: "2.0", id: request.id, ...answer(request.method, request.params) });
      void control({ type: "mcp", payload });
    }),
  );
  const turnsOf = async () => (await bus.bucket(buckets.dialogues).get(device))?.value?.turns ?? [];
  return {
    device,
    session,
    says,
    /** Says something. Gives the origin of the turn. */
    async ask(text: string, language = "en"): Promise<number> {
      seq += 10;
      const heard = { session, listen: seq - 9, utterance: seq, from: seq - 5, origin: seq, text, language };
      await bus.store(channels.heard(device), heard, { id: `${session}:${seq}` });
      return seq;
    },
    /** Interrupts a turn before it is played, as `abort` does. */
    fence: (origin: number) => control({ type: "fence", fence: origin }),
    /** Interrupts a turn after `sentence`, the last one that was heard. */
    stopAfter(origin: number, sentence: number) {
      const reply = `${session}:${origin}`;
      const turn = { origin, reply, sentence, complete: false, reason: "fenced", fenced: 1, dropped: 0, late: 0 };
      bus.publish(channels.event(device), { session, at: Date.now(), gateway: "gateway", turn });
    },
    /** Resolves with the sentences of an answer when its last one is stored. */
    async answerTo(origin: number): Promise<readonly string[]> {
      const own = () => says.filter((say) => say.origin === origin);
      await vi.waitFor(() => expect(own().some(({ last }) => last)).toBe(true), { timeout: 30_000 });
      return own().map(({ text }) => text);
    },
    /** Waits until the history has a turn in this form. */
    async remembers(origin: number, form: Partial<DialogueTurn>) {
      const find = async () => (await turnsOf()).find((turn) => turn.origin === origin);
      await vi.waitFor(async () => expect(await find()).toMatchObject(form), { timeout: 30_000 });
    },
    async close() {
      for (const closer of closers) closer.close();
      await registry.close();
    },
  };
}

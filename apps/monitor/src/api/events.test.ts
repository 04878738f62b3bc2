import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { createRegistry, type Registry } from "@voxbus/presence";
import { buckets, channels } from "@voxbus/protocol";
import { listen } from "@voxbus/subscriber";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { maxWebhooks } from "../webhooks/webhook-store.ts";
import { startTestMonitor, type TestMonitor } from "../test-monitor.ts";

let my: TestMonitor;
let registry: Registry;
let receiver: string;
const posted: Record<string, unknown>[] = [];
const server = createServer((request, response) => {
  void json(request).then((body) => {
    posted.push(body as Record<string, unknown>);
    response.end();
  });
});
beforeAll(async () => {
  my = await startTestMonitor();
  receiver = await listen(server, { host: "127.0.0.1", port: 0, variable: "" });
  registry = await createRegistry(my.bus, {
    id: "g1",
    epoch: "e1",
    address: "",
    load: () => ({ connections: 1, speaking: 0 }),
  });
});
afterAll(async () => {
  await registry?.close();
  await my?.stop();
  server.close();
});

/** Reads a stream until it is closed. */
async function follow(query: string, after?: string) {
  const ending = new AbortController();
  const headers: Record<string, string> = after === undefined ? {} : { "last-event-id": after };
  const response = await fetch(`${my.url}/api/events?${query}`, { headers, signal: ending.signal });
  const events: { readonly name: string; readonly id: string; readonly data: Record<string, unknown> }[] = [];
  const read = async () => {
    let rest = "";
    for await (const bytes of response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + bytes).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const [, name] = /^event: (.*)$/m.exec(block) ?? [];
        const [, id = ""] = /^id: (.*)$/m.exec(block) ?? [];
        const [, data] = /^data: (.*)$/m.exec(block) ?? [];
        if (name !== undefined) events.push({ name, id, data: JSON.parse(data!) as Record<string, unknown> });
      }
    }
  };
  void read().catch(() => undefined);
  const kinds = () => events.map(({ name, data }) => (name === "event" ? data["kind"] : name));
  return { status: response.status, events, kinds, close: () => ending.abort() };
}

const presence = (session: string) =>
  ({ session, since: 0, remote: "", protocol: 1, features: {}, state: "active" }) as const;
const played = { origin: 7, complete: true, fenced: 0, dropped: 0, late: 0, firstAudio: 300.4 };

test("events: a device that comes, talks and goes, and a reader that comes back", async () => {
  const stream = await follow("kinds=all&device=d1");
  await registry.enter("d1", presence("s1"), AbortSignal.timeout(5000));
  await vi.waitFor(() => expect(stream.kinds()).toEqual(["device-online"]), 5000);
  stream.close();
  const heard = { session: "s1", listen: 1, utterance: 1, from: 2, origin: 7, text: "s3cret", language: "en" };
  await my.bus.store(channels.heard("d1"), heard);
  my.bus.publish(channels.event("d1"), { session: "s1", at: 1, gateway: "g1", turn: played });
  await my.bus.flush();
  await registry.leave("d1");
  const again = await follow("kinds=turn,heard,device-offline&device=d1", stream.events[0]!.id);
  await vi.waitFor(() => expect(new Set(again.kinds())).toEqual(new Set(["device-offline", "heard", "turn"])), 5000);
  const turn = again.events.find(({ data }) => data["kind"] === "turn")?.data;
  expect(turn).toMatchObject({ key: "turn-s1-7", outcome: "played", origin: 7, firstAudio: 300 });
  expect(JSON.stringify(again.events)).not.toContain("s3cret");
  again.close();
});

test("events: a gap is told, and a kind that does not exist is refused", async () => {
  const stream = await follow("kinds=all", "01K6WZ7S5XK4Q0J7M3N8R2T9VA.7.1760000000000");
  await vi.waitFor(
    () => expect(stream.events[0]).toMatchObject({ name: "gap", data: { reason: "other-monitor" } }),
    5000,
  );
  stream.close();
  expect((await follow("kinds=turn,x")).status).toBe(400);
  expect((await follow("kinds=")).status).toBe(400);
});

test("events: a webhook gets the kinds that it wants from the time it is set until it is removed", async () => {
  const kinds = ["message", "gateway"];
  const set = await my.ask("PUT", "/api/webhooks/pager", { url: receiver, kinds });
  expect(set).toMatchObject({
    status: 200,
    body: { name: "pager", kinds, secret: expect.stringMatching(/^whsec_.{32}$/) },
  });
  expect((await my.ask("PUT", "/api/webhooks/pager", { url: receiver, kinds })).body).not.toHaveProperty("secret");
  const listed = (await my.ask("GET", "/api/webhooks")).body;
  expect(listed).toMatchObject({ webhooks: [{ name: "pager", url: receiver, kinds }] });
  expect(JSON.stringify(listed)).not.toContain("whsec_");

  const message = { id: "m1", state: "waiting" as const, at: 1, expiresAt: 9e12, text: "tea", tries: 0 };
  await vi.waitFor(async () => {
    // The monitor posts once it is the active one.
    await my.bus.bucket(buckets.kept).put("d2", { messages: [{ ...message }] });
    await my.bus.bucket(buckets.kept).put("d2", { messages: [{ ...message, state: "told" }] });
    await vi.waitFor(() => expect(posted).not.toEqual([]), 500);
  }, 10_000);
  expect(posted[0]).toMatchObject({
    kind: "message",
    key: "message-m1-told",
    device: "d2",
    message: "m1",
    state: "told",
  });
  expect(posted[0]).not.toHaveProperty("text");
  expect((await my.ask("DELETE", "/api/webhooks/pager")).body).toEqual({ name: "pager", removed: true });
  expect((await my.ask("DELETE", "/api/webhooks/pager")).body).toEqual({ name: "pager", removed: false });
});

test.each([
  [{ url: "ftp://x/", kinds: ["turn"] }, "url"],
  [{ url: "http://user:pass@x/", kinds: ["turn"] }, "url"],
  [{ url: "http://169.254.169.254/", kinds: ["turn"] }, "url"],
  [{ url: `http://x/${"x".repeat(2000)}`, kinds: ["turn"] }, "url"],
  [{ url: "http://x/", kinds: [] }, "kinds"],
  [{ url: "http://x/", kinds: ["x"] }, "kinds.0"],
])("webhooks: %j is refused by the name of its field", async (body, field) => {
  expect(await my.ask("PUT", "/api/webhooks/bad", body)).toMatchObject({
    status: 400,
    body: { type: "/problems/bad-field", errors: [{ field }] },
  });
});

test("webhooks: there are at most 20, and the variable's name is taken", async () => {
  const body = { url: receiver, kinds: ["turn"] };
  expect((await my.ask("PUT", "/api/webhooks/VOXBUS_MONITOR_WEBHOOK", body)).body["type"]).toBe("/problems/bad-name");
  for (let n = 0; n < maxWebhooks; n += 1) expect((await my.ask("PUT", `/api/webhooks/w${n}`, body)).status).toBe(200);
  await vi.waitFor(async () => {
    const { body: refused } = await my.ask("PUT", "/api/webhooks/one-more", body);
    await my.ask("DELETE", "/api/webhooks/one-more");
    expect(refused["type"]).toBe("/problems/too-many-webhooks");
  }, 5000);
});

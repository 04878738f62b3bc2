import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { text } from "node:stream/consumers";
import { inspect } from "node:util";
import { listen, type Log } from "@voxbus/subscriber";
import { silentLog } from "@voxbus/testing";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Alert } from "@voxbus/protocol";
import { alertEvent, type ApiEvent } from "../events/api-event.ts";
import type { Receiver } from "./post.ts";
import { createWebhook } from "./webhook.ts";

let url: string;
const posts: { readonly headers: IncomingHttpHeaders; readonly body: string }[] = [];
let answers: (number | "silence")[] = [];
const server = createServer((request, response) => {
  const status = answers.shift();
  void text(request).then((body) => {
    posts.push({ headers: request.headers, body });
    // The server does not answer: the connection breaks.
    if (status === undefined) request.socket.destroy();
    else if (status !== "silence") response.writeHead(status, { location: "http://169.254.169.254/" }).end("read me");
  });
});
beforeAll(async () => {
  url = await listen(server, { host: "127.0.0.1", port: 0, variable: "" });
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});
beforeEach(() => void posts.splice(0));

const step: Alert = {
  id: "a1",
  at: 1,
  severity: "high",
  name: "queue",
  target: "tts-TURNS",
  message: "501 wait.",
  resolved: false,
};
const keys = () => posts.map(({ headers }) => headers["webhook-id"]);
const turn = (n: number): ApiEvent => ({
  kind: "device-online",
  key: `online-${n}`,
  at: n,
  device: "d",
  session: "s",
  gateway: "g",
});

function create(
  options: Partial<Receiver> & {
    readonly waitsMs?: readonly number[];
    readonly most?: number;
    readonly log?: Log;
  } = {},
) {
  const { waitsMs = [1, 1, 1, 1], most, log = silentLog, ...to } = options;
  const outcomes: string[] = [];
  const stopping = new AbortController();
  const webhook = createWebhook({
    name: "w",
    receiver: { url, linkLocal: false, ...to },
    log,
    signal: stopping.signal,
    waitsMs,
    ...(most !== undefined && { most }),
    posted: (one) => outcomes.push(one),
  });
  /** Resolves once the event was taken or given up. */
  const post = (event: ApiEvent) =>
    new Promise<void>((resolve) => webhook.add({ event, ended: async () => resolve() }));
  return { outcomes, webhook, post, stopping };
}

test("webhook: a step that is not taken is sent again under the same key, which its resolution does not share", async () => {
  answers = [500, 429, 204, 200];
  const { post, outcomes } = create();
  await post(alertEvent(step));
  await post(alertEvent({ ...step, resolved: true }));
  expect(keys()).toEqual(["a1-high", "a1-high", "a1-high", "a1-resolved"]);
  expect(posts.map(({ headers }) => headers["idempotency-key"])).toEqual(keys());
  expect(outcomes).toEqual(["taken", "taken"]);
});

test("webhook: an alert is posted as it is, with its section of the runbook", async () => {
  answers = [204];
  await create().post(alertEvent(step));
  expect(posts.map(({ body }) => JSON.parse(body) as unknown)).toEqual([
    { ...step, key: "a1-high", kind: "alert", runbook: "docs/runbook.md#queue" },
  ]);
});

test("webhook: a post is signed over its id, its time and its body, with the bytes of the secret", async () => {
  answers = [204, 204];
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  await create({ secret }).post(turn(1));
  const { headers, body } = posts[0]!;
  const signed = `${headers["webhook-id"] as string}.${headers["webhook-timestamp"] as string}.${body}`;
  const wanted = createHmac("sha256", Buffer.from(secret.slice(6), "base64"))
    .update(signed)
    .digest("base64");
  expect(headers["webhook-signature"]).toBe(`v1,${wanted}`);
  expect(Math.abs(Number(headers["webhook-timestamp"]) - Date.now() / 1000)).toBeLessThan(60);
  await create().post(turn(2));
  expect(posts[1]?.headers).not.toHaveProperty("webhook-signature");
});

test("webhook: an event is given up after five attempts, and at once if it is refused", async () => {
  answers = [503];
  const { post, outcomes } = create();
  await post(turn(1));
  expect(posts).toHaveLength(5);
  answers = [410];
  await post(turn(2));
  expect(posts).toHaveLength(6);
  expect(outcomes).toEqual(["failed", "refused"]);
});

test("webhook: a redirect is not followed", async () => {
  answers = [307, 307, 307, 307, 307];
  const { post, outcomes } = create();
  await post(turn(1));
  expect(outcomes).toEqual(["failed"]);
});

test("webhook: its address, which may hold a secret, is not in the log", async () => {
  answers = [];
  const lines: unknown[] = [];
  const log = Object.assign(Object.create(silentLog), { error: (fields: unknown) => lines.push(fields) }) as Log;
  await create({ url: `${url}/services/s3cret?token=s3cret`, waitsMs: [], log, secret: "s3cret" }).post(turn(1));
  expect(inspect(lines, { depth: 20, showHidden: true })).not.toContain("s3cret");
  expect(lines).toMatchObject([{ key: "online-1", attempts: 1, cause: { code: "ECONNRESET" } }]);
});

test("webhook: a monitor that stops leaves the event to the next one", async () => {
  answers = [503];
  const { webhook, outcomes, stopping } = create({ waitsMs: [60_000] });
  let hasEnded = false;
  webhook.add({ event: turn(1), ended: async () => void (hasEnded = true) });
  await vi.waitFor(() => expect(posts).toHaveLength(1));
  stopping.abort();
  await new Promise((resolve) => setImmediate(resolve));
  expect(outcomes).toEqual([]);
  expect(hasEnded).toBe(false);
});

test("webhook: while a receiver never answers, the oldest events beyond the limit are dropped, and no alert", async () => {
  answers = ["silence"];
  const { webhook, outcomes, stopping } = create({ most: 10 });
  webhook.add({ event: alertEvent(step), ended: async () => undefined });
  webhook.add({ event: alertEvent({ ...step, id: "a2" }), ended: async () => undefined });
  for (let n = 0; n < 1000; n += 1) webhook.add({ event: turn(n) });
  expect(outcomes).toEqual(Array.from({ length: 992 }, () => "dropped"));
  stopping.abort();
  const left = webhook.take().map(({ event }) => event.key);
  expect(left).toEqual(["a1-high", "a2-high", ...Array.from({ length: 8 }, (_, n) => `online-${992 + n}`)]);
});

test("webhook: a receiver that never answers does not delay another one", async () => {
  answers = ["silence", 204, 204];
  const slow = create();
  slow.webhook.add({ event: turn(1) });
  await vi.waitFor(() => expect(posts).toHaveLength(1));
  const fast = create();
  await fast.post(turn(2));
  await fast.post(turn(3));
  expect(fast.outcomes).toEqual(["taken", "taken"]);
  expect(slow.outcomes).toEqual([]);
  slow.stopping.abort();
});

test.each([
  "http://169.254.169.254/latest/meta-data/",
  "http://2852039166/",
  "http://0xa9fea9fe/",
  "http://[::ffff:169.254.169.254]/",
  "http://[fe80::1]/",
  "http://[fd00:ec2::254]/",
  "http://[64:ff9b::169.254.169.254]/",
  "http://0.0.0.0/",
])("webhook: nothing is posted to %s", async (address) => {
  const lines: unknown[] = [];
  const log = Object.assign(Object.create(silentLog), { error: (fields: unknown) => lines.push(fields) }) as Log;
  await create({ url: address, waitsMs: [], log }).post(turn(1));
  expect(lines).toMatchObject([{ cause: { code: "FORBIDDEN_ADDRESS" } }]);
});

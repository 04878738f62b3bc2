import { createServer } from "node:http";
import { inspect } from "node:util";
import { listen, type Log } from "@voxbus/subscriber";
import { silentLog } from "@voxbus/testing";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Alert } from "@voxbus/protocol";
import { createWebhook } from "./webhook.ts";

let url: string;
const keys: (string | undefined)[] = [];
let answers: number[] = [];
const server = createServer((request, response) => {
  keys.push(request.headers["idempotency-key"] as string);
  const status = answers.shift();
  // The server does not answer: the connection breaks.
  if (status === undefined) request.socket.destroy();
  else response.writeHead(status).end();
});
beforeAll(async () => {
  url = await listen(server, { host: "127.0.0.1", port: 0, variable: "" });
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});
beforeEach(() => keys.splice(0));

const step: Alert = {
  id: "a1",
  at: 1,
  severity: "high",
  name: "queue",
  target: "tts-TURNS",
  message: "501 wait.",
  resolved: false,
};

function create(waitsMs: readonly number[] = [1, 1, 1, 1], signal = new AbortController().signal) {
  const outcomes: string[] = [];
  return {
    outcomes,
    webhook: createWebhook({ url, log: silentLog, signal, waitsMs, posted: (one) => outcomes.push(one) }),
  };
}

test("webhook: a step that is not taken is sent again under the same key, which its resolution does not share", async () => {
  answers = [500, 429, 204, 200];
  const { webhook, outcomes } = create();
  expect(await webhook.post(step)).toBe(true);
  expect(await webhook.post({ ...step, resolved: true })).toBe(true);
  expect(keys).toEqual(["a1-high", "a1-high", "a1-high", "a1-resolved"]);
  expect(outcomes).toEqual(["taken", "taken"]);
});

test("webhook: a step is given up after five attempts, and at once if it is refused", async () => {
  answers = [503];
  const { webhook, outcomes } = create();
  expect(await webhook.post(step)).toBe(true);
  expect(keys).toHaveLength(5);
  answers = [410];
  expect(await webhook.post(step)).toBe(true);
  expect(keys).toHaveLength(6);
  expect(outcomes).toEqual(["failed", "refused"]);
});

test("webhook: its address, which may hold a secret, is not in the log", async () => {
  const lines: unknown[] = [];
  const log = Object.assign(Object.create(silentLog), { error: (fields: unknown) => lines.push(fields) }) as Log;
  const address = url.replace("//", "//user:secret@");
  const signal = new AbortController().signal;
  const webhook = createWebhook({ url: address, log, signal, waitsMs: [], posted: () => undefined });
  expect(await webhook.post(step)).toBe(true);
  expect(inspect(lines, { depth: 20, showHidden: true })).not.toContain("secret");
  expect(lines).toMatchObject([{ alert: "a1", attempts: 1, cause: { name: "TypeError" } }]);
});

test("webhook: a monitor that stops leaves the step to the next one", async () => {
  answers = [503];
  const stopping = new AbortController();
  const { webhook, outcomes } = create([60_000], stopping.signal);
  const posting = webhook.post(step);
  await vi.waitFor(() => expect(keys).toHaveLength(1));
  stopping.abort();
  expect(await posting).toBe(false);
  expect(outcomes).toEqual([]);
});

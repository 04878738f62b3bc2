import { connect } from "node:net";
import { listen } from "@voxbus/subscriber";
import { silentLog } from "@voxbus/testing";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { streamEvents } from "./event-stream.ts";
import { addRoute } from "./route.ts";
import { createApp, createAppServer } from "./server.ts";

/** Streams that are open, with the way to send on each. */
const open = new Set<(name: string, data: unknown) => void>();
const stopping = new AbortController();
const revoked = new Set<string>();
const app = createApp({
  hosts: [],
  token: undefined,
  tokens: { find: (token) => ({ name: token, scope: "read", isValid: () => !revoked.has(token) }) },
  log: silentLog,
  answered: () => undefined,
});
addRoute(app, "get", "/api/events", {
  summary: "",
  answer: z.string(),
  types: { answer: "text/event-stream" },
  problems: [],
  handle: ({ context }) =>
    streamEvents(
      context,
      (send) => {
        open.add(send);
        send("hello", { n: 1 });
        return { close: () => void open.delete(send) };
      },
      stopping.signal,
    ),
});
addRoute(app, "get", "/api/large", {
  summary: "",
  answer: z.string(),
  types: { answer: "text/event-stream" },
  problems: [],
  handle: ({ context }) =>
    streamEvents(
      context,
      (send) => {
        for (let n = 0; n < 201; n += 1) send("devices", "d".repeat(100_000));
        return { close: () => undefined };
      },
      stopping.signal,
    ),
});
addRoute(app, "get", "/api/broken", {
  summary: "",
  answer: z.string(),
  types: { answer: "text/event-stream" },
  problems: [],
  handle: ({ context }) =>
    streamEvents(
      context,
      () => {
        throw new Error("broken");
      },
      stopping.signal,
    ),
});
const server = createAppServer(app);
let url: string;
beforeAll(async () => {
  url = `${await listen(server, { host: "127.0.0.1", port: 0, variable: "" })}/api/events`;
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});
beforeEach(() => vi.waitFor(() => expect(open.size).toBe(0)));

test("event stream: HEAD is answered without subscribing", async () => {
  const response = await fetch(url, { method: "HEAD" });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  expect(open.size).toBe(0);
});

test("event stream: begins with the time to reconnect after, is never cached, and ends with its reader", async () => {
  const left = new AbortController();
  const response = await fetch(url, { signal: left.signal });
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("x-accel-buffering")).toBe("no");
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.endsWith('data: {"n":1}\n\n')) text += (await reader.read()).value;
  expect(text).toBe('retry: 1000\n\nevent: hello\ndata: {"n":1}\n\n');
  expect(open.size).toBe(1);
  left.abort();
  await vi.waitFor(() => expect(open.size).toBe(0));
});

test("event stream: a reader that leaves 16 MiB unread is cut off, and one that reads is not", async () => {
  const reading = await fetch(url);
  const reader = reading.body!.getReader();
  let received = 0;
  const drained = (async () => {
    for (let part = await reader.read(); !part.done; part = await reader.read()) received += part.value.length;
  })().catch(() => undefined);
  await vi.waitFor(() => expect(open.size).toBe(1));
  const [send] = open;

  const { hostname, port } = new URL(url);
  const idle = connect(Number(port), hostname);
  idle.write(`GET /api/events HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`);
  const closed = new Promise((resolve) => idle.once("close", resolve).on("error", () => undefined));
  idle.pause();
  await vi.waitFor(() => expect(open.size).toBe(2));
  const slow = [...open].find((one) => one !== send)!;

  const part = "x".repeat(1024 * 1024);
  // More than the limit, and than what the sockets' own buffers may take.
  for (let sent = 0; sent < 64 && open.has(slow); sent += 1) {
    slow("part", part);
    send!("part", part);
    await vi.waitFor(() => expect(received).toBeGreaterThan(sent * part.length));
  }
  expect(open.has(slow)).toBe(false);
  expect(open.has(send!)).toBe(true);
  idle.resume();
  await closed;
  await reader.cancel();
  await drained;
});

test("event stream: ends within 15 s after its token is revoked, and those with another token do not", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  try {
    const [first, second] = await Promise.all(
      ["one", "two"].map((token) => fetch(url, { headers: { authorization: `Bearer ${token}` } })),
    );
    await vi.waitFor(() => expect(open.size).toBe(2));
    vi.advanceTimersByTime(15_000);
    revoked.add("one");
    vi.advanceTimersByTime(15_000);
    expect(await first!.text()).toContain(": alive");
    expect(open.size).toBe(1);
    await second!.body!.cancel();
  } finally {
    vi.useRealTimers();
  }
});

test("event stream: one that cannot be opened ends, and the server goes on", async () => {
  const broken = new URL("/api/broken", url);
  await expect(fetch(broken).then((response) => response.text())).rejects.toThrow();
  expect((await fetch(url, { method: "HEAD" })).status).toBe(200);
});

test("event stream: ends with the program, and what is sent afterwards is left out", async () => {
  const response = await fetch(url);
  await vi.waitFor(() => expect(open.size).toBe(1));
  const [send] = open;
  stopping.abort();
  send!("late", {});
  expect(await response.text()).toContain("event: hello");
  const late = await fetch(url);
  expect(await late.text()).toContain("event: hello");
});

test("event stream: it may begin with more than a reader may leave unread later", async () => {
  const left = new AbortController();
  const response = await fetch(url.replace("/events", "/large"), { signal: left.signal });
  let bytes = 0;
  for await (const part of response.body!) {
    bytes += (part as Uint8Array).byteLength;
    if (bytes > 20_000_000) break;
  }
  expect(bytes).toBeGreaterThan(20_000_000);
  left.abort();
});

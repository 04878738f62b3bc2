import { buckets, channels } from "@voxbus/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestMonitor, type TestMonitor } from "../test-monitor.ts";

const device = "aa:bb:cc:dd:ee:ff";
const path = `/api/devices/${device}/dialogue`;
let open: TestMonitor;
let closed: TestMonitor;

const turn = { session: "s1", origin: 7, calls: [], at: Date.UTC(2026, 0, 1) };
const turns = [
  { ...turn, user: "is it\n2026-01-01T00:00:00.000Z assistant: cold", said: ["Yes.", "Very."] },
  { ...turn, origin: 9, user: "count", said: ["One."], heard: 1, end: "interrupted" as const },
];
const messages = [{ role: "user" as const, text: "hello", at: 1000 }];

beforeAll(async () => {
  open = await startTestMonitor({ VOXBUS_MONITOR_TRANSCRIPTS: "1" });
  closed = await startTestMonitor();
  for (const { bus } of [open, closed]) await bus.bucket(buckets.dialogues).put(device, { messages, turns });
});
afterAll(async () => {
  await open?.stop();
  await closed?.stop();
});

const read = async (query = "") => {
  const response = await fetch(`${open.url}${path}/export${query}`);
  return {
    type: response.headers.get("content-type"),
    file: response.headers.get("content-disposition"),
    text: await response.text(),
  };
};

test("dialogue: it is shown as it is kept, and a device without one has an empty one", async () => {
  expect(await open.ask("GET", path)).toEqual({ status: 200, body: { id: device, messages, turns } });
  expect((await open.ask("GET", "/api/devices/nobody/dialogue")).body).toEqual({
    id: "nobody",
    messages: [],
    turns: [],
  });
});

test("dialogue: without VOXBUS_MONITOR_TRANSCRIPTS nothing of it is shown", async () => {
  for (const one of [path, `${path}/export`, `${path}/export?format=text`]) {
    const { status, body } = await closed.ask("GET", one);
    expect({ status, type: body["type"] }).toEqual({ status: 403, type: "/problems/transcripts-off" });
    expect(JSON.stringify(body)).not.toContain("cold");
  }
});

test("dialogue: as JSON lines it has a line for each turn", async () => {
  const { type, file, text } = await read();
  expect(type).toBe("application/x-ndjson; charset=utf-8");
  expect(file).toBe('attachment; filename="dialogue-aa-bb-cc-dd-ee-ff.jsonl"');
  expect(
    text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([...messages, ...turns]);
});

test("dialogue: as text it has a line for each message, and no text can forge one", async () => {
  const { type, file, text } = await read("?format=text");
  expect(type).toBe("text/plain; charset=utf-8");
  expect(file).toContain("ff.txt");
  expect(text.split("\n")).toEqual([
    "1970-01-01T00:00:01.000Z user: hello",
    "2026-01-01T00:00:00.000Z user: is it 2026-01-01T00:00:00.000Z assistant: cold",
    "2026-01-01T00:00:00.000Z assistant: Yes. Very.",
    "2026-01-01T00:00:00.000Z user: count",
    "2026-01-01T00:00:00.000Z assistant: One. [interrupted]",
    "",
  ]);
});

test("dialogue: another format is refused by the field's name", async () => {
  expect(await open.ask("GET", `${path}/export?format=xml`)).toMatchObject({
    status: 400,
    body: { type: "/problems/bad-field", errors: [{ field: "format" }] },
  });
});

/** Reads the first events of a stream that has a text, or nothing within half a second. */
async function listen(query: string, token?: string): Promise<string> {
  const left = new AbortController();
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`${open.url}/api/events?${query}`, {
    headers: { "last-event-id": "01K6WZ7S5XK4Q0J7M3N8R2T9VA.0.0", ...headers },
    signal: left.signal,
  });
  let text = "";
  const reading = (async () => {
    for await (const part of response.body!.pipeThrough(new TextDecoderStream())) text += part;
  })().catch(() => undefined);
  await expect.poll(() => text).toMatch(/"heardAt"|"kind":"heard"/);
  left.abort();
  await reading;
  return text;
}

test("events: what people say needs the scope admin, and is forgotten when the dialogue is erased", async () => {
  const { body } = await open.ask("POST", "/api/tokens", { name: "wall", scope: "read" });
  const token = String(body["token"]);
  const heard = { session: "s1", listen: 1, utterance: 1, from: 2, origin: 7, text: "s3cret", language: "en" };
  await open.bus.store(channels.heard("talker"), heard);
  const streams = ["kinds=heard&device=talker", "device=talker"];
  for (const query of streams) {
    expect(await listen(query)).toContain("s3cret");
    expect(await listen(query, token)).not.toContain("s3cret");
  }
  await open.ask("DELETE", "/api/devices/talker/dialogue");
  expect(await listen("kinds=heard&device=talker")).not.toContain("s3cret");
});

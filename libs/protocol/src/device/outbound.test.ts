import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { generate } from "../values.suite.ts";
import { emotions, formatServerMessage, OutText, ServerHello, serverMessages, type ServerMessage } from "./outbound.ts";

describe.each(Object.entries(serverMessages))("server message %s", (type, schema: z.ZodType) => {
  it("round trip: every value comes back from JSON as it was", () => {
    fc.assert(
      fc.property(generate(schema), (value) => {
        const sent = JSON.parse(JSON.stringify(value)) as { type: string };
        expect(schema.parse(sent)).toEqual(sent);
        expect(sent.type).toBe(type);
      }),
      { numRuns: 50 },
    );
  });
});

describe("formatServerMessage", () => {
  const read = (message: ServerMessage) => JSON.parse(formatServerMessage(message, "s1")) as Record<string, unknown>;

  it("a face goes with its emoji, since some clients show only that", () => {
    const texts = emotions.map((emotion) => read({ type: "llm", emotion })["text"]);
    expect(new Set(texts).size).toBe(emotions.length);
    expect(texts.every((text) => /^\p{Emoji}$/u.test(String(text)))).toBe(true);
    expect(read({ type: "llm", emotion: "cool" })).toEqual({
      type: "llm",
      emotion: "cool",
      text: "😎",
      session_id: "s1",
    });
  });

  it.each(["grumpy", "", "constructor", "__proto__"])("the unknown face %j goes with the neutral emoji", (emotion) => {
    expect(read({ type: "llm", emotion })).toMatchObject({ emotion, text: "😶" });
  });

  it("an emoji that is given stays, even an empty one", () => {
    expect(read({ type: "llm", emotion: "happy", text: "🎉" })["text"]).toBe("🎉");
    expect(read({ type: "llm", emotion: "happy", text: "" })["text"]).toBe("");
  });
});

describe("OutText", () => {
  it("types: all but hello and pong, which the gateway says itself", () => {
    const allowed = OutText.options.map(({ shape }) => shape.type.value);
    expect(allowed.toSorted()).toEqual(
      Object.keys(serverMessages)
        .filter((type) => type !== "hello" && type !== "pong")
        .toSorted(),
    );
  });

  it("an alert that lacks one of its three strings: refused, since firmware insists on them", () => {
    const alert = { type: "alert", status: "a", message: "b", emotion: "sad" };
    expect(OutText.safeParse(alert).success).toBe(true);
    for (const field of ["status", "message", "emotion"]) {
      expect(OutText.safeParse({ ...alert, [field]: undefined }).success).toBe(false);
    }
  });
});

describe("ServerHello", () => {
  const hello = {
    type: "hello",
    transport: "websocket",
    session_id: "01K6WZ7S5XK4Q0J7M3N8R2T9VA",
    audio_params: { format: "opus", sample_rate: 24_000, channels: 1, frame_duration: 60 },
  };
  it.each(["a:b", "", "a b", "x".repeat(256)])("session_id: %s is refused", (id) => {
    expect(ServerHello.safeParse({ ...hello, session_id: id }).success).toBe(false);
    expect(ServerHello.safeParse(hello).success).toBe(true);
  });
  it("transport: must be there, or firmware crashes", () => {
    expect(ServerHello.safeParse({ ...hello, transport: undefined }).success).toBe(false);
  });
});

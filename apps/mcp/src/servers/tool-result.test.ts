import { expect, test } from "vitest";
import { CallResult, readResult } from "./tool-result.ts";

const read = (result: object) => readResult(CallResult.parse(result));

test("tool result: texts are joined, and everything else is named", () => {
  const content = [
    { type: "text", text: "It is" },
    { type: "image", data: "AAAA", mimeType: "image/png" },
    { type: "text", text: "21 degrees." },
    { type: "audio", data: "AAAA", mimeType: "audio/wav" },
    { type: "resource_link", uri: "file:///a", name: "a report" },
    { type: "resource", resource: { uri: "file:///b", text: "inside" } },
    { type: "resource", resource: { uri: "file:///c", blob: "AAAA" } },
    { type: "hologram" },
    "garbage",
    null,
  ];
  expect(read({ content })).toEqual({
    text: "It is\n[image image/png]\n21 degrees.\n[audio audio/wav]\n[resource_link a report]\ninside\n[resource file:///c]\n[hologram]",
    failed: false,
  });
});

test("tool result: a result without content is its structured content, or done", () => {
  expect(read({ content: [], structuredContent: { on: true } }).text).toBe('{"on":true}');
  expect(read({}).text).toBe("done");
  expect(read({ isError: true })).toEqual({ text: "failed", failed: true });
  expect(read({ content: "not a list" }).text).toBe("done");
  expect(read({ content: [{ type: "text", text: "no such light" }], isError: true })).toEqual({
    text: "no such light",
    failed: true,
  });
});

test("tool result: a long text is cut, and says so", () => {
  const { text } = read({ content: [{ type: "text", text: "x".repeat(100_000) }] });
  expect(text).toHaveLength(16_384);
  expect(text).toMatch(/x \[cut: the result was too long\]$/);
});

import { expect, test } from "vitest";
import { readResult } from "./tool-result.ts";

const text = (text: string) => ({ type: "text", text });

test.each<[string, unknown, string]>([
  ["a list of contents", { content: [text("true")], isError: false }, "true"],
  ["several contents", { content: [text("a"), text("b")] }, "a\nb"],
  ["a list without a type", { content: [{ text: "on" }] }, "on"],
  ["a list of texts", { content: ["a", "b"] }, "a\nb"],
  ["one content that is no list", { content: text("on") }, "on"],
  ["a content that is a text", { content: "on" }, "on"],
  ["a content that is a boolean", { content: true }, "true"],
  ["a content that is an object", { content: { volume: 50 } }, '{"volume":50}'],
  ["a content that is null", { content: null }, "done"],
  ["no contents", { content: [] }, "done"],
  ["an empty text", { content: [text("")] }, "done"],
  ["a text that is null", { content: [{ type: "text", text: null }] }, "done"],
  ["an image", { content: [{ type: "image", data: "AAAA", mimeType: "image/png" }] }, "[image]"],
  ["contents at the top", [text("a"), text("b")], "a\nb"],
  ["one content at the top", text("on"), '{"type":"text","text":"on"}'],
  ["a text", "on", "on"],
  ["true", true, "true"],
  ["false", false, "false"],
  ["a number", 21.5, "21.5"],
  ["zero", 0, "0"],
  ["null", null, "done"],
  ["nothing", undefined, "done"],
  ["an empty object", {}, "done"],
  ["a list of numbers", [1, 2], "[1,2]"],
  ["an object", { volume: 50 }, '{"volume":50}'],
  ["a success with a message", { success: true, message: "ok" }, '{"success":true,"message":"ok"}'],
  ["structured content", { structuredContent: { volume: 50 } }, '{"volume":50}'],
  ["structured content beside an empty list", { content: [], structuredContent: [1] }, "[1]"],
  ["isError as a text", { content: [text("on")], isError: "false" }, "on"],
  ["isError null", { content: [text("on")], isError: null }, "on"],
  ["isError 0", { content: [text("on")], isError: 0 }, "on"],
])("tool result: %s is a result", (_, result, expected) => {
  expect(readResult(result)).toBe(expected);
});

test.each<[string, unknown, string]>([
  ["isError", { content: [text("no such room")], isError: true }, "no such room"],
  ["isError as a text", { content: "no such room", isError: "true" }, "no such room"],
  ["success false", { success: false, message: "busy" }, "busy"],
  ["isError without contents", { isError: true }, "done"],
])("tool result: %s is a refusal", (_, result, message) => {
  expect(() => readResult(result)).toThrow(message);
});

test("tool result: is at most 16,384 characters long", () => {
  expect(readResult("x".repeat(20_000))).toHaveLength(16_384);
});

import { beforeAll, describe, expect, test } from "vitest";
import { ToolError, type LlmEngine } from "./engine.ts";
import { collectText, createAccess, createRequest, setVolume } from "./test-request.ts";

/** The engine under test, and where it may differ from others. */
export interface EngineSuiteOptions {
  readonly create: () => Promise<LlmEngine>;
  /** A text that the engine always answers in the same way. */
  readonly known: string;
  /** The beginning of that answer. */
  readonly beginning: string;
  /** A word of the answer to unknown words. */
  readonly hint: string;
}

/** Runs the promises of `LlmEngine` against a real engine. */
export function testEngine(name: string, options: EngineSuiteOptions): void {
  describe(`${name} engine`, () => {
    let engine: LlmEngine;
    beforeAll(async () => {
      engine = await options.create();
    });

    test("an answer has text, and answers in progress do not affect each other", async () => {
      const alone = await collectText(engine, createRequest(options.known));
      expect(alone.length).toBeGreaterThan(5);
      const many = Array.from({ length: 10 }, () => collectText(engine, createRequest(options.known)));
      expect(await Promise.all(many)).toEqual(Array.from({ length: 10 }, () => alone));
    });

    test("the text of the request reaches the answer", async () => {
      expect(await collectText(engine, createRequest("pineapples are blue"))).toContain("pineapples are blue");
    });

    test("words that the recognizer does not know are answered with an apology", async () => {
      const answer = await collectText(engine, createRequest(""));
      expect(answer).toContain("sorry");
      expect(answer).toContain(options.hint);
      const chinese = await collectText(engine, createRequest("", { language: "zh-CN" }));
      expect(chinese).toContain(engine.language === "en" ? "did not understand" : "没有听懂");
    });

    test("a device's tool is called by its real name", async () => {
      const calls: unknown[] = [];
      const call = async (name: string, args: object) => {
        calls.push([name, args]);
        return "true";
      };
      const device = createAccess({ tools: { list: [setVolume], call } });
      expect(await collectText(engine, createRequest("set the volume to fifty", { device }))).not.toBe("");
      expect(calls).toEqual([[setVolume.name, { volume: 50 }]]);
    });

    test("a tool that fails does not prevent the answer", async () => {
      const call = () => Promise.reject(new ToolError("the device did not answer"));
      const device = createAccess({ tools: { list: [setVolume], call } });
      expect(await collectText(engine, createRequest("set the volume to fifty", { device }))).toContain("did not");
    });

    test("an abort before the start leaves no answer, an abort during a tool call ends it at once", async () => {
      expect(await collectText(engine, createRequest(options.known), AbortSignal.abort())).toBe("");
      const abort = new AbortController();
      const call = (_: string, __: object, signal?: AbortSignal) =>
        new Promise<string>((_, reject) => {
          signal?.addEventListener("abort", () => reject(new ToolError("aborted")));
          abort.abort();
        });
      const device = createAccess({ tools: { list: [setVolume], call } });
      const request = createRequest("set the volume to fifty", { device });
      expect(await collectText(engine, request, abort.signal)).not.toContain("one");
    });

    test("text that is spoken already is not repeated", async () => {
      const request = createRequest(options.known, { spoken: options.beginning });
      expect(await collectText(engine, request)).not.toContain(options.beginning);
    });
  });
}

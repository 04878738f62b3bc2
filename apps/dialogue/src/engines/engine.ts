import type { Dialogue, Emotion, Heard, Profile } from "@voxbus/protocol";

/** One message of a dialogue's history; `at` in ms since the epoch. */
export type Message = Dialogue["messages"][number];

/** A tool of the device, as its MCP server lists it. */
export type Tool = {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
};

/** The tools of the device that a turn came from; without an MCP server the list is empty. */
export interface Tools {
  readonly list: readonly Tool[];
  /** Calls a tool once, however often the turn is started again, and gives its text. Throws ToolError. */
  call(name: string, args: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<string>;
}

/** A tool call that failed: unknown, refused by the device, or not answered in time. */
export class ToolError extends Error {
  override readonly name = "ToolError";
}

/** A model did not answer in time. */
export class ModelTimeoutError extends Error {
  override readonly name = "ModelTimeoutError";
}

/** What an engine may have spoken later. */
export interface Reminders {
  /** Has `text` announced on the device in `ms`. Throws RangeError when the device has too many already. */
  schedule(ms: number, text: string): Promise<void>;
  /** Drops what was scheduled for the device and gives its count. */
  cancel(): Promise<number>;
}

/** What an engine answers. */
export type Turn = {
  /** What was said; empty when speech was rejected, and then `reason` says why. */
  readonly text: string;
  readonly reason?: Heard["reason"];
  /** BCP 47. */
  readonly language: string;
  /** What was said before, oldest first, without this turn. */
  readonly history: readonly Message[];
  readonly profile: Profile;
  readonly features: Readonly<Record<string, unknown>>;
  readonly tools: Tools;
  readonly reminders: Reminders;
  /** What this very answer has said already, before its worker died: the engine goes on behind it. Empty at first. */
  readonly said: string;
};

/** A piece of an answer: text in the order in which it is spoken, or a face for what follows. */
export type Delta =
  { readonly type: "text"; readonly text: string } | { readonly type: "emotion"; readonly emotion: Emotion };

/** A language model, or what stands in for one. */
export interface LlmEngine {
  readonly name: string;
  /** The language of its answers, BCP 47; absent when it answers in the turn's. */
  readonly language?: string;
  /**
   * Answers a turn: at least one text delta, as soon as there is one, in plain text or markdown. Tool calls are made
   * through `turn.tools` and are not seen here. Ends quietly and promptly once `signal` aborts, giving the model's
   * request up; throws when the model fails, whatever was given before. Any number of turns go on at once and never
   * touch each other. Text is never repeated: what is in `turn.said` is not said again.
   */
  respond(turn: Turn, signal: AbortSignal): AsyncIterable<Delta>;
}

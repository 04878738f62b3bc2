import type { Pool } from "@voxbus/pools";
import type { DialogueTurn, Emotion, Profile } from "@voxbus/protocol";

import type { ThoughtFilter } from "../thoughts.ts";

export { RefusedCallError as RefusedToolError, ToolCallError as ToolError } from "@voxbus/subscriber";

/** A call of a device's tool in an earlier turn: its arguments as JSON, and its result or error. */
export type PastCall = DialogueTurn["calls"][number];

/**
 * One message of a dialogue's history; `at` in ms since the epoch. An answer is the part that was heard, after the `calls`
 * that were made for it. `end` tells why it is not whole: the user interrupted it, or it failed.
 */
export type Message =
  | { readonly role: "user"; readonly text: string; readonly at: number }
  | {
      readonly role: "assistant";
      readonly text: string;
      readonly at: number;
      readonly calls?: readonly PastCall[];
      readonly end?: DialogueTurn["end"];
    };

/** A tool of the device, as its MCP server lists it, or of a program on the bus. */
export interface Tool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
}

/** The tools for the device that a turn came from: its own, and those of programs on the bus. */
export interface Tools {
  readonly list: readonly Tool[];
  /**
   * Calls a tool and resolves with its text. A turn that is started again does not repeat the call. Calls may run at once; a
   * device gets its own one after the other. Throws ToolError.
   */
  call(name: string, args: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<string>;
}

/** A model that did not answer in time. */
export class ModelTimeoutError extends Error {
  override readonly name = "ModelTimeoutError";
}

/** The device that an answer is for, as far as an engine may use it. */
export interface DeviceAccess {
  readonly tools: Tools;
}

/** The turn of a request: who asks, and when it was stored (`performance.now()`, ms): its place among other turns. */
export interface TurnOfRequest {
  readonly device: string;
  readonly session: string;
  readonly origin: number;
  readonly since: number;
}

/** A request for one answer. */
export interface AnswerRequest {
  /** The words of the user. Empty if the recognizer does not know them. */
  readonly text: string;
  /** The language of the text, BCP 47. */
  readonly language: string;
  /** The earlier messages of the dialogue, oldest first, without this turn. */
  readonly history: readonly Message[];
  readonly profile: Profile;
  readonly device: DeviceAccess;
  readonly turn: TurnOfRequest;
  /** The part of this answer that a failed worker has stored already. The engine continues after it. Empty at first. */
  readonly spoken: string;
}

/**
 * A piece of an answer: text in the order in which it is spoken, a face for the text that follows, or the end of a
 * paragraph. The text before that end is spoken at once, as before a tool runs. `cut`: the answer ends here before its
 * end, such as at the longest length. Without words it counts as failed.
 */
export type Delta =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "emotion"; readonly emotion: Emotion }
  | { readonly type: "paragraph" }
  | { readonly type: "cut"; readonly reason: string };

/** A language model, or a program that answers in its place. */
export interface LlmEngine {
  readonly name: string;
  /** The pool of its requests to the model. Absent if it has no limit. */
  readonly pool?: Pool;
  /** The language of its answers, BCP 47. Absent if it answers in the language of the request. */
  readonly language?: string;
  /** Recognizes the thoughts of its model. Absent if it has none. */
  readonly thoughts?: ThoughtFilter;
  /**
   * Answers a request, in plain text or markdown.
   * - It yields text as soon as there is some. An answer without any has nothing to say.
   * - It calls tools through `request.device.tools`; the calls are not part of the answer.
   * - It never yields text that is in `request.spoken`.
   * - Once `signal` aborts, it ends promptly without an error and cancels its request to the model.
   * - It throws if the model fails, also after it has yielded text.
   * - Any number of answers may be in progress at once; they do not affect each other.
   */
  respond(request: AnswerRequest, signal: AbortSignal): AsyncIterable<Delta>;
}

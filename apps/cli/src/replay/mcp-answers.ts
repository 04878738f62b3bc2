import { takeRoom, type TextRoom } from "./exchanges.ts";

type JsonObject = Readonly<Record<string, unknown>>;

/** The most answers of one device that are kept. */
const maxAnswers = 1024;

/**
 * The answers of a recorded device's MCP server. A replayed device gives them again: the same request gets the answers that it got
 * in the recording, in their order, and then the last one again.
 */
export class McpAnswers {
  readonly #requests = new Map<string, string>();
  readonly #answers = new Map<string, JsonObject[]>();
  readonly #room: TextRoom;
  #count = 0;

  constructor(room: TextRoom = { left: 0, refused: 0 }) {
    this.#room = room;
  }

  /** Notes a recorded request of a program to the device. */
  asked(payload: string): void {
    const { id, method, params } = parse(payload);
    if (id === undefined || typeof method !== "string" || this.#requests.size >= maxAnswers) return;
    this.#requests.set(JSON.stringify(id), keyOf(method, params));
  }

  /** Notes a recorded message of the device. Returns true if it answers a request: then it is not sent by itself. */
  answered(payload: string): boolean {
    const { id, method, result, error } = parse(payload);
    if (method !== undefined || id === undefined) return false;
    const request = JSON.stringify(id);
    const key = this.#requests.get(request);
    this.#requests.delete(request);
    if (key !== undefined && this.#count < maxAnswers && takeRoom(this.#room, payload)) {
      this.#count += 1;
      const answers = this.#answers.get(key) ?? [];
      this.#answers.set(key, [...answers, error === undefined ? { result } : { error }]);
    }
    return true;
  }

  /** Answers a request of the system under replay, as JSON text. Returns undefined for what needs no answer. */
  answer({ jsonrpc, id, method, params }: JsonObject): JsonObject | undefined {
    if (typeof method !== "string" || id === undefined || method.startsWith("notifications/")) return undefined;
    const answers = this.#answers.get(keyOf(method, params));
    const answer = answers !== undefined && answers.length > 1 ? answers.shift() : answers?.[0];
    return { jsonrpc, id, ...(answer ?? { error: { message: "the recording has no answer to this request" } }) };
  }
}

function parse(payload: string): JsonObject {
  try {
    const value: unknown = JSON.parse(payload);
    return typeof value === "object" && value !== null ? (value as JsonObject) : {};
  } catch {
    return {}; // the gateway does not parse what devices send
  }
}

function keyOf(method: string, params: unknown): string {
  return `${method} ${JSON.stringify(params ?? {})}`;
}

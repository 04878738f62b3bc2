import type { ServerResponse } from "node:http";

/** How a model's answer ends early: with an error in the stream, never, or with a dropped connection. */
export interface EarlyEnd {
  readonly end: "fail" | "hang" | "drop";
}

/** A piece of an answer: text, a tool call, bytes that are written as they are, or an early end. */
export type ChatEvent = string | { readonly name: string; readonly args: string } | { readonly raw: string } | EarlyEnd;

/** The liberties that servers take with OpenAI's streaming format, one switch each. */
export interface Dialect {
  /** The arguments of a tool call come in two pieces, not whole. */
  readonly splitsArguments: boolean;
  /** The stream ends with `[DONE]`. */
  readonly sendsDone: boolean;
}

/** The dialects of known servers. */
export const dialects = {
  openai: { splitsArguments: true, sendsDone: true },
} as const satisfies Readonly<Record<string, Dialect>>;

/** Streams an answer as server-sent events of chat completion chunks. */
export async function streamChat(
  events: Iterable<ChatEvent> | AsyncIterable<ChatEvent>,
  response: ServerResponse,
  dialect: Dialect,
): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
  const send = (data: object) => response.write(`data: ${JSON.stringify(data)}\n\n`);
  let index = 0;
  try {
    for await (const event of events) {
      if (typeof event !== "string" && "end" in event) {
        if (event.end === "fail") throw new Error("the model is gone");
        if (event.end === "drop") response.destroy();
        return;
      }
      if (typeof event !== "string" && "raw" in event) response.write(event.raw);
      else for (const delta of writeDeltas(event, index++, dialect)) send(makeChunk(delta));
    }
  } catch (error) {
    send({ error: { message: String(error) } });
  }
  response.end(dialect.sendsDone ? "data: [DONE]\n\n" : "");
}

function writeDeltas(
  event: Extract<ChatEvent, string | { name: string }>,
  index: number,
  dialect: Dialect,
): readonly object[] {
  if (typeof event === "string") return [{ content: event }];
  const { name, args } = event;
  const split = dialect.splitsArguments ? Math.ceil(args.length / 2) : args.length;
  const call = { index, id: `call-${index}`, type: "function", function: { name, arguments: args.slice(0, split) } };
  const rest = { index, function: { arguments: args.slice(split) } };
  return (dialect.splitsArguments ? [call, rest] : [call]).map((one) => ({ tool_calls: [one] }));
}

function makeChunk(delta: object): object {
  return { object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: null }] };
}

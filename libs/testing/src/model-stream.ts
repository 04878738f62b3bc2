import type { ServerResponse } from "node:http";
import { callNotations, type Call, type Dialect } from "./model-dialects.ts";

/** How a model's answer ends early: with an error in the stream, never, or with a dropped connection. */
export interface EarlyEnd {
  readonly end: "fail" | "hang" | "drop";
}

/** A piece of an answer: text, a tool call, bytes that are written as they are, or an early end. */
export type ChatEvent = string | Call | { readonly raw: string } | EarlyEnd;

type Pieces = Iterable<ChatEvent> | AsyncIterable<ChatEvent>;

const thought = "I think about <b>this</b>. ";

/** Streams an answer as server-sent events of chat completion chunks, in a dialect. */
export async function streamChat(events: Pieces, response: ServerResponse, dialect: Dialect): Promise<void> {
  if (dialect.answersWhole) return answerWhole(events, response, dialect);
  response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
  const { newline, prefix, comments } = dialect;
  let sent = 0;
  let text = "";
  const send = (data: object) => {
    if (comments) response.write(`: still here${newline}event: message${newline}`);
    response.write(`${prefix}${JSON.stringify(data)}${newline}${newline}`);
  };
  const sendDelta = (delta: object) => {
    const role = dialect.role === "each" || (dialect.role === "first" && sent === 0) ? { role: "assistant" } : {};
    sent += 1;
    send(makeChunk({ ...role, ...delta }));
  };
  const sendEmpty = () => {
    if (!dialect.emptyChunks) return;
    for (const choices of [[], null, [{ index: 0, delta: null }], [{ delta: { content: null, tool_calls: null } }]])
      send({ object: "chat.completion.chunk", choices });
  };
  try {
    sendEmpty();
    for (const delta of writeThoughts(dialect)) sendDelta(delta);
    let index = 0;
    for await (const event of events) {
      if (typeof event !== "string" && "end" in event) {
        if (event.end === "fail") throw new Error("the model is gone");
        if (event.end === "drop") response.destroy();
        return;
      }
      if (typeof event === "string") text += event;
      if (typeof event !== "string" && "raw" in event) response.write(event.raw);
      else for (const delta of writeDeltas(event, index++, dialect)) sendDelta(delta);
    }
    sendEmpty();
    const message = dialect.repeatsAnswer ? { message: { role: "assistant", content: text } } : {};
    if (dialect.finish !== undefined)
      send({ choices: [{ index: 0, delta: {}, ...message, finish_reason: dialect.finish }] });
  } catch (error) {
    send({ error: { message: String(error) } });
  }
  response.end(dialect.sendsDone ? `${prefix}[DONE]${newline}${newline}` : "");
}

/** Answers with one object, like a server that knows no streams. */
async function answerWhole(events: Pieces, response: ServerResponse, dialect: Dialect): Promise<void> {
  const message = { role: "assistant", content: null as string | null, tool_calls: [] as unknown[] };
  for await (const event of events) {
    if (typeof event === "string") message.content = `${message.content ?? ""}${event}`;
    else if ("name" in event) {
      const args = writeArguments(event.args, dialect);
      const id = `call-${message.tool_calls.length}`;
      message.tool_calls.push({ id, type: "function", function: { name: event.name, arguments: args } });
    }
  }
  const choices = [{ index: 0, message, finish_reason: dialect.finish }];
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ object: "chat.completion", choices }, undefined, 2));
}

function writeThoughts({ thoughts }: Dialect): readonly object[] {
  if (thoughts === "none") return [];
  if (thoughts === "part") return [{ content: [{ type: "thinking", thinking: [{ type: "text", text: thought }] }] }];
  if (thoughts === "details") return [{ content: "", reasoning_details: [{ type: "reasoning.text", text: thought }] }];
  return [
    { content: null, [thoughts]: thought },
    { content: "", [thoughts]: thought },
  ];
}

function writeDeltas(event: string | Call, index: number, dialect: Dialect): readonly object[] {
  if (typeof event === "string") return [{ content: writeContent(event, dialect) }];
  if (dialect.calls === "old field") return [{ function_call: { name: event.name, arguments: event.args } }];
  if (dialect.calls !== "field") {
    const text = callNotations[dialect.calls](event);
    const pieces = text.match(new RegExp(`[^]{1,${dialect.textPiece}}`, "g")) ?? [];
    return pieces.map((piece) => ({ content: writeContent(piece, dialect) }));
  }
  const { name, args } = event;
  const split = dialect.args === "split" ? Math.ceil(args.length / 2) : args.length;
  const call = {
    ...writeIndex(index, dialect),
    ...writeId(index, 0, dialect),
    type: "function",
    function: { name, arguments: writeArguments(args.slice(0, split), dialect) },
  };
  const rest = {
    ...writeIndex(index, dialect),
    ...writeId(index, 1, dialect),
    function: { ...(dialect.repeatsName ? { name } : {}), arguments: args.slice(split) },
  };
  return (dialect.args === "split" ? [call, rest] : [call]).map((one) => ({ content: null, tool_calls: [one] }));
}

function writeContent(text: string, { content }: Dialect): unknown {
  return content === "text" ? text : [{ type: "text", text }];
}

function writeArguments(args: string, dialect: Dialect): unknown {
  if (dialect.args === "object") return JSON.parse(args) as unknown;
  return dialect.args === "double" ? JSON.stringify(args) : args;
}

function writeIndex(index: number, dialect: Dialect): object {
  if (dialect.index === "none") return {};
  return { index: dialect.index === "null" ? null : dialect.index === "zero" ? 0 : index };
}

function writeId(index: number, piece: number, { id }: Dialect): object {
  if (id === "none") return {};
  if (id === "same") return { id: "call" };
  if (id === "fresh") return { id: `call-${index}-${piece}` };
  if (piece === 0) return { id: `call-${index}` };
  return id === "then empty" ? { id: "" } : {};
}

function makeChunk(delta: object): object {
  return { object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: null }] };
}

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a model streams: text, a call of a function, an error in mid-stream, or nothing more, for ever. */
export type ModelEvent = string | { readonly name: string; readonly args: string } | { readonly end: "fail" | "hang" };

/** A request as it reached the server. */
export type ModelRequest = {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string | null }[];
  readonly tools?: readonly { readonly function: { readonly name: string } }[];
};

/** A chat completions server on loopback that speaks the real protocol; `answer` decides what its model says. */
export interface ModelServer {
  readonly url: string;
  readonly requests: ModelRequest[];
  /** Requests whose client went away before the answer was complete. */
  readonly cancelled: () => number;
  /** Resolves when a client next goes away. */
  whenCancelled(): Promise<unknown>;
  close(): Promise<void>;
}

/** Starts a server for tests. `answer` may give an HTTP status instead of events. */
export async function startModelServer(
  answer: (request: ModelRequest) => readonly ModelEvent[] | number,
): Promise<ModelServer> {
  const requests: ModelRequest[] = [];
  let cancelled = 0;
  const server = createServer((request, response) => {
    response.on("close", () => {
      if (response.writableFinished) return;
      cancelled += 1;
      server.emit("cancelled");
    });
    void respond(request, response);
  });
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const asked = JSON.parse(Buffer.concat(chunks).toString()) as ModelRequest;
    requests.push(asked);
    const events = answer(asked);
    if (typeof events === "number") {
      response.writeHead(events, { "content-type": "application/json" }).end('{"error":{"message":"no"}}');
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    const send = (data: object) => response.write(`data: ${JSON.stringify(data)}\n\n`);
    const sendDelta = (delta: object) =>
      send({ object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: null }] });
    for (const [at, event] of events.entries()) {
      if (typeof event === "string") {
        sendDelta({ content: event });
      } else if ("end" in event) {
        if (event.end === "hang") return;
        send({ error: { message: "the model is gone" } });
      } else {
        // Arguments come in pieces, as from the real servers.
        const half = Math.ceil(event.args.length / 2);
        const call = { index: at, id: `call-${at}`, type: "function" };
        sendDelta({ tool_calls: [{ ...call, function: { name: event.name, arguments: event.args.slice(0, half) } }] });
        sendDelta({ tool_calls: [{ index: at, function: { arguments: event.args.slice(half) } }] });
      }
    }
    response.end("data: [DONE]\n\n");
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    cancelled: () => cancelled,
    whenCancelled: () => once(server, "cancelled"),
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What the server is to do; each may be set anew at any time. `left` is aborted when the client went away. */
export interface ModelScript {
  /** Streams the answer to what was said last, or is an HTTP status. Throwing breaks the stream off with an error event. */
  chat: (said: string, left: AbortSignal) => AsyncIterable<string> | number;
  /** The words of an uploaded WAV. */
  transcribe: (wav: Uint8Array, language: string) => Promise<string>;
  /** A WAV that speaks a text. */
  speak: (text: string, left: AbortSignal) => Promise<Uint8Array>;
}

/** A server on loopback that speaks the real protocol of OpenAI's endpoints, with a script in place of a model. */
export interface ModelServer {
  /** The base URL for the programs' configuration. */
  readonly url: string;
  readonly script: ModelScript;
  close(): Promise<void>;
}

/** Starts a server; what is left out of the script is answered with 404. */
export async function startModelServer(given: Partial<ModelScript> = {}): Promise<ModelServer> {
  const script: ModelScript = {
    chat: () => 404,
    transcribe: () => Promise.reject(new Error("nothing is transcribed here")),
    speak: () => Promise.reject(new Error("nothing is spoken here")),
    ...given,
  };
  const routes: Record<string, (body: Buffer, type: string, response: ServerResponse, left: AbortSignal) => unknown> = {
    "/v1/chat/completions": (body, _, response, left) => {
      const { messages } = JSON.parse(body.toString()) as { messages: { role: string; content: string }[] };
      const said = messages.findLast(({ role }) => role === "user")?.content ?? "";
      const answer = script.chat(said, left);
      if (typeof answer !== "number") return streamAnswer(answer, response);
      return response.writeHead(answer, { "content-type": "application/json" }).end('{"error":{"message":"no"}}');
    },
    "/v1/audio/transcriptions": async (body, type, response) => {
      const form = await new Response(new Uint8Array(body), { headers: { "content-type": type } }).formData();
      const wav = new Uint8Array(await (form.get("file") as File).arrayBuffer());
      const text = await script.transcribe(wav, form.get("language") as string);
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ text }));
    },
    "/v1/audio/speech": async (body, _, response, left) => {
      const { input } = JSON.parse(body.toString()) as { input: string };
      response.writeHead(200, { "content-type": "audio/wav" }).end(await script.speak(input, left));
    },
  };
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const left = new AbortController();
    response.on("close", () => left.abort());
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const type = request.headers["content-type"] ?? "";
    const route = routes[request.url ?? ""];
    if (route === undefined) response.writeHead(404).end();
    else await route(Buffer.concat(chunks), type, response, left.signal);
  };
  const server = createServer((request, response) => {
    respond(request, response).catch(() => response.destroy());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    script,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

async function streamAnswer(answer: AsyncIterable<string>, response: ServerResponse): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
  const send = (data: object) => response.write(`data: ${JSON.stringify(data)}\n\n`);
  try {
    for await (const content of answer) {
      send({ object: "chat.completion.chunk", choices: [{ index: 0, delta: { content }, finish_reason: null }] });
    }
  } catch (error) {
    send({ error: { message: String(error) } });
  }
  response.end("data: [DONE]\n\n");
}

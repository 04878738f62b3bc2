import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How a model behaves: as it should, or in one of the ways in which models fail. */
export type ModelMood =
  | "well"
  /** Answers the request and says nothing, for ever. */
  | "silent"
  /** Stops after the first sentence, for ever. */
  | "stalls"
  | "error 500"
  /** Drops the connection in mid-answer. */
  | "breaks off"
  /** Streams what no mouth can say. */
  | "garbage"
  /** Streams what is not the protocol. */
  | "no protocol";

/** A loopback server that speaks the protocol of OpenAI's endpoints, for both roles that can fail. */
export interface Model {
  readonly url: string;
  mood: ModelMood;
  close(): Promise<void>;
}

/** Starts it in a good mood. Its speech role always refuses when well, so that the embedded synthesizer speaks. */
export async function startModel(): Promise<Model> {
  const model = { mood: "well" as ModelMood };
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const isSpeech = request.url?.endsWith("/audio/speech");
    if (model.mood === "error 500" || (isSpeech && model.mood === "well")) {
      response.writeHead(500, { "content-type": "application/json" }).end('{"error":{"message":"no"}}');
      return;
    }
    response.writeHead(200, { "content-type": isSpeech ? "audio/wav" : "text/event-stream" }).flushHeaders();
    if (model.mood === "silent" || isSpeech) return;
    const { messages } = JSON.parse(Buffer.concat(chunks).toString()) as {
      messages: readonly { readonly role: string; readonly content: string }[];
    };
    await chat(
      messages.findLast(({ role, content }) => role === "user" && !content.startsWith("Your answer"))?.content ?? "",
      model.mood,
      response,
    );
  };
  const server = createServer((request, response) => {
    respond(request, response).catch(() => response.destroy());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return Object.assign(model, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  });
}

async function chat(question: string, mood: ModelMood, response: ServerResponse): Promise<void> {
  const write = (content: string) =>
    response.write(
      `data: ${JSON.stringify({ object: "chat.completion.chunk", choices: [{ index: 0, delta: { content } }] })}\n\n`,
    );
  if (mood === "no protocol") return void response.end("data: <html>{[ this is no JSON\n\n");
  if (mood === "garbage") {
    for (let i = 0; i < 200; i += 1) write("\u0000\uFFFD}{*#`|~^");
    return void response.end("data: [DONE]\n\n");
  }
  const sentences = [`You asked ${question}. `, "This is a longer answer of a model. ", "Now it is at its end."];
  for (const [at, sentence] of sentences.entries()) {
    for (const piece of sentence.split(/(?<= )/)) write(piece);
    // The first sentence is over when the next one begins.
    if (at === 1 && mood === "stalls") return;
    if (at === 1 && mood === "breaks off") return void response.destroy();
  }
  response.end("data: [DONE]\n\n");
}

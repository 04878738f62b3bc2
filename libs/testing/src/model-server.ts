import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { dialects, type Dialect, type Refused } from "./model-dialects.ts";
import { checkChat, checkOrder, checkSpeech, checkTranscription } from "./model-request.ts";
import { streamChat, type ChatEvent, type EarlyEnd } from "./model-stream.ts";

/** The body of a request to `/chat/completions`. */
export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string | null }[];
  readonly tools?: readonly { readonly function: { readonly name: string; readonly parameters?: object } }[];
  readonly stream_options?: object;
  readonly user?: string;
}

/** The form of a request to `/audio/transcriptions`. */
export interface TranscriptionRequest {
  readonly wav: Uint8Array;
  readonly model: string | null;
  readonly language: string | null;
}

/** The body of a request to `/audio/speech`. */
export interface SpeechRequest {
  readonly model: string;
  readonly input: string;
  readonly voice: string;
  readonly response_format: string;
  readonly speed?: number;
}

/** The circumstances of a request. */
export interface RequestContext {
  readonly headers: IncomingHttpHeaders;
  /** Aborted when the client goes away or has the whole answer. */
  readonly gone: AbortSignal;
}

/** An answer with a status and a body of its own: JSON, or plain text. */
export interface ErrorAnswer {
  readonly status: number;
  readonly body: object | string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The strictness of a server. */
interface Strictness {
  /** Also refuses an order of messages that only some servers take (`checkOrder`). */
  readonly isStrict?: boolean;
}

/** A sound with its content type. */
export interface TypedSound {
  readonly type: string;
  readonly sound: Uint8Array;
}

type Pieces<T> = Iterable<T> | AsyncIterable<T>;
type Answer<T> = T | Refusal | Promise<T | Refusal>;

/** The behavior of the models, which a test may change at any time. A number answers with that HTTP status. */
export interface ModelScript {
  /** Streams an answer. An error it throws is sent as an error event, as servers do it. */
  chat: (request: ChatRequest, context: RequestContext) => Answer<Pieces<ChatEvent>>;
  transcribe: (request: TranscriptionRequest, context: RequestContext) => Answer<string>;
  /** Gives the sound whole, in pieces, or with a content type of its own. An error it throws drops the connection. */
  speak: (request: SpeechRequest, context: RequestContext) => Answer<Uint8Array | Pieces<Uint8Array> | TypedSound>;
}

/** A server on 127.0.0.1 that speaks the protocol of OpenAI's chat, transcription and speech endpoints. */
export interface ModelServer {
  /** The base URL for a program's configuration. */
  readonly url: string;
  readonly script: ModelScript;
  /** The liberties that it takes with chat completions. A test may change them at any time. */
  dialect: Dialect;
  /** The requests received so far, by endpoint. */
  readonly requests: {
    readonly chat: readonly ChatRequest[];
    readonly transcription: readonly TranscriptionRequest[];
    readonly speech: readonly SpeechRequest[];
  };
  /** The number of requests whose client went away before the answer was complete. */
  cancelled(): number;
  /** Resolves when a client next goes away. */
  whenCancelled(): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * Starts a server. An endpoint that the script leaves out answers 404. A request that OpenAI's published schema does not
 * allow is answered with 400, which names the field.
 */
export async function startModelServer(
  given: Partial<ModelScript> = {},
  options: Strictness & { readonly dialect?: Dialect } = {},
): Promise<ModelServer> {
  const script: ModelScript = { chat: () => 404, transcribe: () => 404, speak: () => 404, ...given };
  const requests = {
    chat: [] as ChatRequest[],
    transcription: [] as TranscriptionRequest[],
    speech: [] as SpeechRequest[],
  };
  let cancelled = 0;

  const routes: Readonly<Record<string, (body: Buffer, context: RequestContext) => Promise<Reply>>> = {
    "/v1/chat/completions": async (body, context) => {
      const request = JSON.parse(body.toString()) as ChatRequest;
      requests.chat.push(request);
      const answer = refuseChat(request, server.dialect, options) ?? (await script.chat(request, context));
      return isRefusal(answer) ? answer : (response) => streamChat(answer, response, server.dialect);
    },
    "/v1/audio/transcriptions": async (body, context) => {
      const request = await readForm(body, context.headers["content-type"] ?? "");
      requests.transcription.push(request);
      const text = refuseProblem(checkTranscription(request)) ?? (await script.transcribe(request, context));
      if (isRefusal(text)) return text;
      return (response) =>
        void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ text }));
    },
    "/v1/audio/speech": async (body, context) => {
      const request = JSON.parse(body.toString()) as SpeechRequest;
      requests.speech.push(request);
      const sound = refuseProblem(checkSpeech(request)) ?? (await script.speak(request, context));
      if (isRefusal(sound)) return sound;
      if ("sound" in sound) return (response) => streamSound([sound.sound], response, sound.type);
      const type = request.response_format === "pcm" ? "audio/pcm" : "audio/wav";
      return (response) => streamSound(sound instanceof Uint8Array ? [sound] : sound, response, type);
    },
  };

  const http = createServer((request, response) => {
    const gone = new AbortController();
    response.on("close", () => {
      gone.abort();
      if (response.writableFinished) return;
      cancelled += 1;
      http.emit("cancelled");
    });
    const context = { headers: request.headers, gone: gone.signal };
    answer(request, response, context).catch(() => response.destroy());
  });
  async function answer(request: IncomingMessage, response: ServerResponse, context: RequestContext): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const route = request.method === "POST" ? routes[request.url ?? ""] : undefined;
    const reply: Reply = route ? await route(Buffer.concat(chunks), context) : 404;
    if (typeof reply === "function") await reply(response);
    else if (typeof reply === "number") refuse(response, { status: reply, body: { error: { message: "no" } } });
    else if ("end" in reply) endEarly(response, reply);
    else refuse(response, reply);
  }

  await once(http.listen(0, "127.0.0.1"), "listening");
  const server: ModelServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/v1`,
    script,
    dialect: options.dialect ?? dialects.openai,
    requests,
    cancelled: () => cancelled,
    whenCancelled: () => once(http, "cancelled"),
    async close() {
      http.close();
      http.closeAllConnections();
      await once(http, "close");
    },
  };
  return server;
}

type Refusal = number | EarlyEnd | ErrorAnswer;
type Reply = Refusal | ((response: ServerResponse) => void | Promise<void>);

/** Refuses a request that is malformed, or has a part that the dialect refuses. */
function refuseChat(
  request: ChatRequest,
  { refuses }: Dialect,
  { isStrict = false }: Strictness,
): ErrorAnswer | undefined {
  const refused = refuses.find((one) => hasRefused(request, one));
  const problem = refused && `${refused.what} is not supported`;
  const disorder = isStrict ? checkOrder(request) : undefined;
  return refuseProblem(checkChat(request) ?? disorder) ?? refuseProblem(problem, refused?.status);
}

function refuseProblem(message: string | undefined, status = 400): ErrorAnswer | undefined {
  if (message === undefined) return undefined;
  return { status, body: { error: { message, type: "invalid_request_error", param: null, code: null } } };
}

/** True if a request has a part that the dialect refuses. */
function hasRefused({ messages, tools, stream_options, user }: ChatRequest, { what }: Refused): boolean {
  if (what === "tools") return tools !== undefined;
  if (what === "stream_options") return stream_options !== undefined;
  if (what === "user") return user !== undefined;
  if (what === "system") return messages.some(({ role }) => role === "system");
  const roles = messages.map(({ role }) => role).filter((role) => role !== "system");
  return roles.some((role, i) => role !== (i % 2 === 0 ? "user" : "assistant"));
}

function isRefusal(answer: unknown): answer is Refusal {
  return (
    typeof answer === "number" ||
    (typeof answer === "object" && answer !== null && ("end" in answer || "status" in answer))
  );
}

function refuse(response: ServerResponse, { status, body, headers }: ErrorAnswer): void {
  const isText = typeof body === "string";
  response.writeHead(status, { "content-type": isText ? "text/plain" : "application/json", ...headers });
  response.end(isText ? body : JSON.stringify(body));
}

function endEarly(response: ServerResponse, { end }: EarlyEnd): void {
  if (end === "fail") refuse(response, { status: 500, body: { error: { message: "no" } } });
  else if (end === "drop") response.destroy();
  else response.writeHead(200).flushHeaders();
}

async function streamSound(pieces: Pieces<Uint8Array>, response: ServerResponse, type: string): Promise<void> {
  response.writeHead(200, { "content-type": type });
  for await (const piece of pieces) response.write(piece);
  response.end();
}

async function readForm(body: Buffer, type: string): Promise<TranscriptionRequest> {
  const form = await new Response(new Uint8Array(body), { headers: { "content-type": type } }).formData();
  const wav = new Uint8Array(await (form.get("file") as File).arrayBuffer());
  return { wav, model: form.get("model") as string | null, language: form.get("language") as string | null };
}

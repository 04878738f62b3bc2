import { randomUUID } from "node:crypto";
import { encodeFrame, type FramingVersion, type InControl } from "@voxbus/protocol";
import { WebSocket } from "ws";
import { CommandError } from "../command.ts";
import type { SessionPlan } from "./plan.ts";
import type { ReplayedDevice, ReplayedSession, Target } from "./target.ts";

type Json = Readonly<Record<string, unknown>>;

const helloMs = 10_000;
const closeMs = 5000;
/** The hello of stock firmware, for sessions whose own one is not in the recording. */
const stockHello = { protocol: 1, sampleRate: 16_000, frameDuration: 60 } as const;

/** Replays into a gateway: each recorded device becomes a device with a WebSocket of its own. */
export function openSocketTarget(url: string, token: string | undefined): Target {
  const sessions = new Set<SocketSession>();
  return {
    async open(device, plan, signal) {
      const session = await connect({ url, token, device, plan }, signal);
      for (const one of sessions) if (!one.isOpen) sessions.delete(one);
      sessions.add(session);
      return session;
    },
    async close() {
      await Promise.all([...sessions].map((session) => session.close()));
    },
  };
}

interface Connecting {
  readonly url: string;
  readonly token: string | undefined;
  readonly device: ReplayedDevice;
  readonly plan: SessionPlan;
}

async function connect({ url, token, device, plan }: Connecting, signal: AbortSignal): Promise<SocketSession> {
  const { protocol, sampleRate, frameDuration } = plan.opened ?? stockHello;
  const socket = new WebSocket(url, {
    headers: {
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      "Client-Id": randomUUID(),
      "Device-Id": device.id,
      "Protocol-Version": String(protocol),
    },
    perMessageDeflate: false,
    handshakeTimeout: helloMs,
  });
  const hello = {
    type: "hello",
    version: protocol,
    features: (plan.opened?.features.mcp ?? plan.usesMcp) ? { mcp: true } : {},
    transport: "websocket",
    audio_params: { format: "opus", sample_rate: sampleRate, channels: 1, frame_duration: frameDuration },
  };
  const session = new SocketSession(socket, protocol, device);
  const fail = (why: string) => new CommandError(`The gateway at ${url} ${why}. The device was ${device.id}.`);
  await new Promise<void>((resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    const timer = setTimeout(() => reject(fail(`sent no hello within ${helloMs / 1000} s`)), helloMs);
    const end = (settle: () => void) => () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      settle();
    };
    signal.addEventListener("abort", stop, { once: true });
    socket.on("open", () => socket.send(JSON.stringify(hello)));
    socket.on("unexpected-response", (_request, { statusCode }) => {
      const hint = statusCode === 401 ? "; give it a token with --token" : "";
      end(() => reject(fail(`refused the connection with status ${statusCode}${hint}`)))();
      socket.terminate();
    });
    socket.on("error", (error: NodeJS.ErrnoException) =>
      end(() => reject(fail(`cannot be reached (${error.code ?? error.message})`)))(),
    );
    socket.on("close", (code) => end(() => reject(fail(`closed the connection with ${code}`)))());
    session.onHello = end(resolve);
  }).catch((error: unknown) => {
    socket.terminate();
    throw error;
  });
  return session;
}

class SocketSession implements ReplayedSession {
  readonly #socket: WebSocket;
  readonly #protocol: FramingVersion;
  readonly #device: ReplayedDevice;
  readonly #closed: Promise<void>;
  #sessionId = "";
  onHello = (): void => undefined;

  constructor(socket: WebSocket, protocol: FramingVersion, device: ReplayedDevice) {
    this.#socket = socket;
    this.#protocol = protocol;
    this.#device = device;
    this.#closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("message", (data: Buffer, isBinary) => {
      // The sound of the answers is not kept.
      if (!isBinary) this.#receive(data.toString());
    });
    socket.once("close", () => device.witness.close());
  }

  get id(): string {
    return this.#sessionId;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  async send({ kind, body }: Parameters<ReplayedSession["send"]>[0]): Promise<void> {
    if (kind === "audio") this.#write(encodeFrame(this.#protocol, body as Uint8Array));
    else if (kind === "text") this.#say({ type: "listen", state: "detect", text: body });
    else for (const message of toMessages(body as InControl)) this.#say(message);
    if ((body as InControl).type === "closed") await this.close();
  }

  async close(): Promise<void> {
    this.#socket.close(1000);
    const timer = setTimeout(() => this.#socket.terminate(), closeMs);
    await this.#closed;
    clearTimeout(timer);
  }

  #receive(text: string): void {
    const message = parse(text);
    if (message["type"] === "hello") {
      this.#sessionId = String(message["session_id"]);
      this.onHello();
    } else if (message["type"] === "mcp") {
      const answer = this.#device.mcp.answer((message["payload"] ?? {}) as Json);
      if (answer !== undefined) this.#say({ type: "mcp", payload: answer });
    } else this.#device.witness.take(message);
  }

  #say(message: object): void {
    this.#write(JSON.stringify({ session_id: this.#sessionId, ...message }));
  }

  #write(data: string | Uint8Array): void {
    if (this.isOpen) this.#socket.send(data);
  }
}

/** Turns a control frame back into the messages of the device that caused it. Answers of MCP are given when they are asked for. */
function toMessages(body: InControl): readonly object[] {
  switch (body.type) {
    case "listen":
      return [{ type: "listen", state: "start", mode: body.mode }];
    case "stop":
      return [{ type: "listen", state: "stop" }];
    case "wake":
      return [{ type: "listen", state: "detect", text: body.text }];
    case "abort":
      return [{ type: "abort", ...(body.reason === undefined ? {} : { reason: body.reason }) }];
    case "iot": {
      const lists = { descriptors: body.descriptors, states: body.states };
      const parsed = Object.entries(lists).flatMap(([name, text]) => {
        const value = text === undefined ? undefined : parseOrUndefined(text);
        return value === undefined ? [] : [[name, value] as const];
      });
      return [{ type: "iot", ...Object.fromEntries(parsed) }];
    }
    case "mcp": {
      const payload = parse(body.payload);
      return "method" in payload ? [{ type: "mcp", payload }] : [];
    }
    case "goodbye":
      return [{ type: "goodbye" }];
    default:
      return []; // `opened` was the hello; `closed`, `fence`, `gap` and `resend` are the gateway's own
  }
}

function parse(text: string): Json {
  const value = parseOrUndefined(text);
  return typeof value === "object" && value !== null ? (value as Json) : {};
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // devices and servers may send what is not JSON
  }
}

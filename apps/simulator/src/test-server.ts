import { once } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createOpusEncoder } from "@voxbus/audio";
import { decodeFrame, encodeFrame, type FramingVersion } from "@voxbus/protocol";
import { WebSocketServer, type WebSocket } from "ws";

/** One device as the scripted server sees it. */
export interface ScriptedSession {
  readonly headers: IncomingHttpHeaders;
  readonly socket: WebSocket;
  /** Text frames, parsed. */
  readonly messages: Record<string, unknown>[];
  /** Binary messages as they came, with their time in ms of `performance.now`. */
  readonly frames: { readonly data: Buffer; readonly t: number }[];
  send(message: object): void;
  sendPacket(packet: Uint8Array): void;
}

/** A server for tests that answers a device's messages as its script says; on 127.0.0.1 at a free port. */
export interface ScriptedServer {
  readonly url: string;
  readonly sessions: readonly ScriptedSession[];
  stop(): Promise<void>;
}

/** What the server does with each message (`type` and, if there is one, `/state`) and each Opus packet of a device. */
export interface ServerScript {
  /** Answers each upgrade with 401. */
  readonly refuse?: boolean;
  /** False leaves hello unanswered. */
  readonly greet?: boolean;
  onMessage?(session: ScriptedSession, name: string, message: Record<string, unknown>): unknown;
  onPacket?(session: ScriptedSession, packet: Uint8Array): unknown;
}

/** Starts a scripted server. It answers hello by itself, announcing 24 kHz. */
export async function startScriptedServer(script: ServerScript): Promise<ScriptedServer> {
  const sessions: ScriptedSession[] = [];
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    verifyClient: (_info, answer) => answer(script.refuse !== true, 401, "no such token"),
  });
  await once(server, "listening");
  server.on("connection", (socket, request) => {
    const version = Number(request.headers["protocol-version"]) as FramingVersion;
    const session: ScriptedSession = {
      headers: request.headers,
      socket,
      messages: [],
      frames: [],
      send: (message) => socket.send(JSON.stringify(message)),
      sendPacket: (packet) => socket.send(encodeFrame(version, packet)),
    };
    sessions.push(session);
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) {
        session.frames.push({ data, t: performance.now() });
        void script.onPacket?.(session, decodeFrame(version, data).packet);
        return;
      }
      const message = JSON.parse(data.toString()) as Record<string, unknown>;
      session.messages.push(message);
      if (message["type"] === "hello" && script.greet !== false) session.send(serverHello);
      const state = message["state"];
      void script.onMessage?.(
        session,
        `${String(message["type"])}${typeof state === "string" ? `/${state}` : ""}`,
        message,
      );
    });
  });
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    sessions,
    async stop() {
      for (const { socket } of sessions) socket.terminate();
      server.close();
      await once(server, "close");
    },
  };
}

/** Answers with `frames` of sound, paced at 10 ms to be quick, between everything that belongs around them. */
export async function answerTurn(session: ScriptedSession, heard: string, said: string, frames = 3): Promise<void> {
  session.send({ type: "stt", text: heard });
  session.send({ type: "tts", state: "start" });
  session.send({ type: "llm", emotion: "happy" });
  session.send({ type: "tts", state: "sentence_start", text: said });
  for (const packet of encodeTone(frames)) {
    session.sendPacket(packet);
    await sleep(10);
  }
  session.send({ type: "tts", state: "stop" });
}

/** A server that answers typed text, and speech once its silence shows. */
export const answering: ServerScript = {
  onMessage: (session, name, { text }) =>
    name === "listen/detect" ? answerTurn(session, String(text), `You typed ${String(text)}.`) : undefined,
  onPacket(session, packet) {
    const listening = session.messages.findLast(({ type }) => type === "listen");
    if (packet.byteLength > 1 || listening?.["state"] !== "start") return undefined;
    session.messages.push({ type: "listen", state: "heard" });
    return answerTurn(session, "a tone", "You whistled.");
  },
};

/** Packets of 60 ms with a tone of 440 Hz at 24 kHz. */
export function encodeTone(frames: number): Uint8Array[] {
  const encoder = createOpusEncoder({ sampleRate: 24_000 });
  const tone = createTone(24_000, frames * 60);
  const packets = Array.from({ length: frames }, (_, i) => encoder.encode(tone.slice(i * 1440, (i + 1) * 1440)));
  encoder.close();
  return packets;
}

/** Samples of a tone of 440 Hz. */
export function createTone(sampleRate: number, ms: number): Int16Array {
  return Int16Array.from({ length: (sampleRate * ms) / 1000 }, (_, i) =>
    Math.round(8000 * Math.sin((2 * Math.PI * 440 * i) / sampleRate)),
  );
}

const serverHello = {
  type: "hello",
  transport: "websocket",
  session_id: "scripted-1",
  audio_params: { format: "opus", sample_rate: 24_000, channels: 1, frame_duration: 60 },
};

import { once } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createOpusEncoder } from "@voxbus/audio";
import { decodeFrame, encodeFrame, type FramingVersion } from "@voxbus/protocol";
import { createTone } from "@voxbus/testing";
import { WebSocketServer, type WebSocket } from "ws";

/** A connected device, from the view of the scripted server. */
export interface ScriptedSession {
  readonly headers: IncomingHttpHeaders;
  readonly socket: WebSocket;
  /** Text frames, parsed. */
  readonly messages: Record<string, unknown>[];
  /** Binary messages with their times, in ms of `performance.now`. */
  readonly frames: { readonly data: Buffer; readonly t: number }[];
  send(message: object): void;
  sendPacket(packet: Uint8Array): void;
  /** Sends a Close frame and drops TCP soon after, as a gateway does. */
  close(code: number, reason: string): void;
}

/** A server for tests on a free port of 127.0.0.1. Its script answers the messages of devices. */
export interface ScriptedServer {
  readonly url: string;
  readonly sessions: readonly ScriptedSession[];
  stop(): Promise<void>;
}

/** The reaction to each message, named by its `type` and `/state`, and to each Opus packet of a device. */
export interface ServerScript {
  /** Answers each upgrade with 401. */
  readonly refuse?: boolean;
  /** False leaves hello unanswered. */
  readonly greet?: boolean;
  onMessage?(session: ScriptedSession, name: string, message: Record<string, unknown>): unknown;
  onPacket?(session: ScriptedSession, packet: Uint8Array): unknown;
}

/** Starts a scripted server. It answers each hello itself and announces 24 kHz. */
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
      close(code, reason) {
        socket.close(code, reason);
        setTimeout(() => socket.terminate(), lingerMs);
      },
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

/** Sends a whole answer with `frames` of sound, one every 10 ms. */
export async function answerTurn(session: ScriptedSession, heard: string, said: string, frames = 3): Promise<void> {
  session.send({ type: "stt", text: heard });
  await announce(session, said, frames);
}

/** Says something that answers nothing, as a greeting does. */
export async function announce(session: ScriptedSession, said: string, frames = 3): Promise<void> {
  session.send({ type: "tts", state: "start" });
  session.send({ type: "llm", emotion: "happy" });
  session.send({ type: "tts", state: "sentence_start", text: said });
  for (const packet of encodeTone(frames)) {
    session.sendPacket(packet);
    await sleep(10);
  }
  session.send({ type: "tts", state: "stop" });
}

/** Answers typed text, and speech at the first packet of silence. */
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

/** Encodes a 440 Hz tone at 24 kHz in packets of 60 ms. */
export function encodeTone(frames: number): Uint8Array[] {
  const encoder = createOpusEncoder({ sampleRate: 24_000 });
  const tone = createTone(24_000, frames * 60);
  const packets = Array.from({ length: frames }, (_, i) => encoder.encode(tone.slice(i * 1440, (i + 1) * 1440)));
  encoder.close();
  return packets;
}

const lingerMs = 100;

const serverHello = {
  type: "hello",
  transport: "websocket",
  session_id: "scripted-1",
  audio_params: { format: "opus", sample_rate: 24_000, channels: 1, frame_duration: 60 },
};

import { once } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { decodeFrame, type FramingVersion } from "@voxbus/protocol";
import { createInbox, type Inbox } from "@voxbus/testing";
import { WebSocketServer, type WebSocket } from "ws";

type Json = Readonly<Record<string, unknown>>;

/** A message of a device at the server: its JSON without the session id, or its packet. `at` in ms. */
export type Taken = { readonly device: string; readonly at: number } & (
  { readonly json: Json } | { readonly packet: readonly number[] } | { readonly end: number }
);

/** A real WebSocket server that speaks as a gateway, and says only what the test says. */
export interface TestServer {
  readonly url: string;
  readonly taken: Inbox<Taken>;
  /** The headers of each upgrade by the device's id. */
  readonly headers: ReadonlyMap<string, IncomingHttpHeaders>;
  send(device: string, message: Json): void;
  /** Says a reply from its start to its stop. */
  answer(device: string, text: string): void;
  close(device: string): void;
  stop(): Promise<void>;
}

/** Starts the server on a free port. `status` refuses the devices for which it gives one. */
export async function startTestServer(
  status: (device: string) => number | undefined = () => undefined,
): Promise<TestServer> {
  const taken = createInbox<Taken>();
  const sockets = new Map<string, WebSocket>();
  const headers = new Map<string, IncomingHttpHeaders>();
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    verifyClient: ({ req }, done) => {
      const code = status(String(req.headers["device-id"]));
      done(code === undefined, code);
    },
  });
  await once(server, "listening");
  server.on("connection", (socket, request) => {
    const device = String(request.headers["device-id"]);
    const protocol = Number(request.headers["protocol-version"]) as FramingVersion;
    sockets.set(device, socket);
    headers.set(device, request.headers);
    socket.on("message", (data: Buffer, isBinary) => {
      const at = performance.now();
      if (isBinary) return taken.put({ device, at, packet: [...decodeFrame(protocol, data).packet] });
      const { session_id: _, ...json } = JSON.parse(data.toString()) as Json;
      taken.put({ device, at, json });
      if (json["type"] === "hello") socket.send(JSON.stringify({ type: "hello", session_id: "s" }));
    });
    socket.on("close", (end) => taken.put({ device, at: performance.now(), end }));
  });
  const send = (device: string, message: Json) => sockets.get(device)!.send(JSON.stringify(message));
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    taken,
    headers,
    send,
    answer(device, text) {
      send(device, { type: "tts", state: "start" });
      send(device, { type: "tts", state: "sentence_start", text });
      send(device, { type: "tts", state: "stop" });
    },
    close: (device) => sockets.get(device)!.close(1012),
    async stop() {
      for (const socket of sockets.values()) socket.terminate();
      server.close();
      await once(server, "close");
    },
  };
}

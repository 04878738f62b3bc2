import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";

/** Devices that take whatever comes, and come back when they are closed. */
export interface Victims {
  /** Their ids, with the sessions that are open now. */
  sessions(): ReadonlyMap<string, string>;
  close(): Promise<void>;
}

const backMs = 50;

/** Connects so many of them. */
export async function connectVictims(url: string, number: number): Promise<Victims> {
  const sessions = new Map<string, string>();
  const sockets = new Map<string, WebSocket>();
  let closed = false;
  const enter = async (device: string): Promise<void> => {
    const socket = new WebSocket(url, { headers: { "Device-Id": device } });
    sockets.set(device, socket);
    socket.on("error", () => socket.terminate());
    socket.on("open", () => socket.send('{"type":"hello","features":{"mcp":true}}'));
    socket.on("close", () => {
      if (!closed) void sleep(backMs).then(() => (closed ? undefined : enter(device)));
    });
    const greeted = new Promise<void>((resolve) => {
      socket.on("message", (data, isBinary) => {
        if (isBinary) return;
        const { type, session_id: session } = JSON.parse((data as Buffer).toString()) as Record<string, unknown>;
        if (type !== "hello") return;
        sessions.set(device, String(session));
        // So that a session has some seq that origins can name.
        for (let times = 0; times < 20; times += 1) socket.send('{"type":"listen","state":"stop"}');
        resolve();
      });
    });
    await Promise.race([greeted, once(socket, "close")]);
  };
  await Promise.all(Array.from({ length: number }, (_, at) => enter(`victim-${at}`)));
  return {
    sessions: () => sessions,
    async close() {
      closed = true;
      for (const socket of sockets.values()) socket.terminate();
    },
  };
}

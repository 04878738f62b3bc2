import type { Writable } from "node:stream";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Closer } from "@voxbus/subscriber";
import type { Context } from "hono";
import type { Bindings } from "./server.ts";

/** A reader that leaves more than this unread is cut off. It then reconnects for a new snapshot. */
const maxUnreadBytes = 16 * 1024 * 1024;
const keepAliveMs = 15_000;

/** Sends an event of a stream. With an `id` its reader can name it when it comes back. */
export type SendNamed = (name: string, data: unknown, id?: string) => void;

/**
 * Answers with Server-Sent Events: `open` subscribes to them and gives how to end the subscription. The stream ends
 * with its connection, with `signal`, and within 15 s after its token was revoked.
 */
export function streamEvents(c: Context<Bindings>, open: (send: SendNamed) => Closer, signal: AbortSignal): Response {
  const response = c.body(null, 200, {
    "content-type": "text/event-stream",
    // nginx would hold events back until its buffer is full.
    "x-accel-buffering": "no",
  });
  if (c.req.method === "HEAD") return response;
  // Written to the connection itself, which shows how much of it is unread.
  const { outgoing } = c.env;
  const caller = c.get("caller");
  outgoing.writeHead(200, Object.fromEntries(response.headers));
  // A slow reader leaves the stream open after its end. Writing to it then would be an error that nothing catches.
  const write = (text: string) => void (outgoing.writableEnded || outgoing.write(text));
  write("retry: 1000\n\n");
  // A stream begins with all that is known, however large the fleet is. The limit is for what comes after that.
  let most = Infinity;
  const opened = openOrDestroy(outgoing, () =>
    open((name, data, id) => {
      write(`event: ${name}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`);
      if (outgoing.writableLength > most) outgoing.destroy();
    }),
  );
  most = outgoing.writableLength + maxUnreadBytes;
  // A connection that was lost silently is noticed by writing to it.
  const keepAlive = setInterval(() => (caller.isValid() ? write(": alive\n\n") : end()), keepAliveMs);
  const end = () => outgoing.end();
  signal.addEventListener("abort", end);
  outgoing.once("close", () => {
    signal.removeEventListener("abort", end);
    clearInterval(keepAlive);
    opened.close();
  });
  if (signal.aborted) end();
  return RESPONSE_ALREADY_SENT;
}

/** Opens the subscription. If that throws, no answer with a reason can be sent any more: the connection ends. */
function openOrDestroy(outgoing: Writable, open: () => Closer): Closer {
  try {
    return open();
  } catch (error) {
    outgoing.destroy();
    throw error;
  }
}

import type { HttpBindings } from "@hono/node-server";
import type { Closer } from "@voxbus/subscriber";
import type { Context } from "hono";
import { streamSSE } from "hono/streaming";

/** A reader that leaves more than this unread [bytes] is cut off. It then reconnects for a new snapshot. */
const maxUnreadBytes = 16 * 1024 * 1024;
const keepAliveMs = 15_000;

/**
 * Answers with Server-Sent Events: `open` subscribes to them and gives how to end the subscription. The stream ends
 * with its connection or with `signal`.
 */
export function streamEvents(
  c: Context<{ Bindings: HttpBindings }>,
  open: (send: (name: string, data: unknown) => void) => Closer,
  signal: AbortSignal,
): Response {
  if (c.req.method === "HEAD") return c.body(null, 200, { "content-type": "text/event-stream" });
  const response = streamSSE(c, async (stream) => {
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    stream.onAbort(end);
    signal.addEventListener("abort", end);
    let unread = 0;
    const write = async (text: string) => {
      const bytes = Buffer.byteLength(text);
      unread += bytes;
      if (unread > maxUnreadBytes) c.env.outgoing.destroy();
      await stream.write(text);
      unread -= bytes;
    };
    void write("retry: 1000\n\n");
    const opened = open((name, data) => void write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`));
    // A connection that was lost silently is noticed by writing to it.
    const keepAlive = setInterval(() => void write(": alive\n\n"), keepAliveMs);
    if (!signal.aborted) await ended;
    signal.removeEventListener("abort", end);
    clearInterval(keepAlive);
    opened.close();
  });
  response.headers.set("cache-control", "no-store");
  // A connection that was kept alive after its stream would hold up the end of the program.
  response.headers.set("connection", "close");
  return response;
}

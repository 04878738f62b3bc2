import type { IncomingMessage, ServerResponse } from "node:http";
import type { Closer } from "@voxbus/subscriber";
import type { Tell } from "../live/live-events.ts";

/** What a reader may leave unread, in bytes, before it is cut off; it then comes back for a new snapshot. */
const maxUnread = 16 * 1024 * 1024;
const aliveMs = 15_000;

/** An answer that goes on: writes events to the response until either side ends it. */
export type EventStream = (request: IncomingMessage, response: ServerResponse) => void;

/** Makes Server-Sent Events of a live stream; its subscription ends with the connection, which ends with `signal`. */
export function streamEvents(open: (tell: Tell) => Closer, signal: AbortSignal): EventStream {
  return (_request, response) => {
    response.write("retry: 1000\n\n");
    const tell: Tell = (name, data) => {
      response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
      if (response.writableLength > maxUnread) response.destroy();
    };
    const opened = open(tell);
    // A connection that was lost without a word is noticed by writing to it.
    const alive = setInterval(() => response.write(": alive\n\n"), aliveMs);
    const end = () => response.end();
    signal.addEventListener("abort", end);
    response.once("close", () => {
      signal.removeEventListener("abort", end);
      clearInterval(alive);
      opened.close();
    });
  };
}

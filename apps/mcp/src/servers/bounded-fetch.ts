import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js";

/** Thrown when a server sends a message that is too large. */
export class MessageTooLargeError extends Error {
  override readonly name = "MessageTooLargeError";
}

/**
 * Creates a fetch whose answers are bounded: a body of JSON, or one event of an event stream, has at most `maxBytes`. Beyond,
 * reading it fails with MessageTooLargeError, and `refused` is told. The event stream itself has no end.
 */
export function createBoundedFetch(maxBytes: number, refused: (error: Error) => void): FetchLike {
  const refuse = (): never => {
    const error = new MessageTooLargeError(`a message of the server has more than ${maxBytes} bytes`);
    refused(error);
    throw error;
  };
  return async (url, init) => {
    const response = await fetch(url, init);
    if (response.body === null) return response;
    const isStream = response.headers.get("content-type")?.includes("text/event-stream") === true;
    const body = response.body.pipeThrough(isStream ? boundEvents(maxBytes, refuse) : boundBody(maxBytes, refuse));
    const bounded = new Response(body, response);
    // A response of one's own has no address, and redirects are judged by it.
    Object.defineProperty(bounded, "url", { value: response.url });
    Object.defineProperty(bounded, "redirected", { value: response.redirected });
    return bounded;
  };
}

function boundBody(maxBytes: number, refuse: () => never): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  return new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) refuse();
      controller.enqueue(chunk);
    },
  });
}

const lineFeed = 10;
const carriageReturn = 13;

/** Counts the bytes since the last empty line, which ends an event. */
function boundEvents(maxBytes: number, refuse: () => never): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  let isLineEmpty = true;
  return new TransformStream({
    transform(chunk, controller) {
      for (const byte of chunk) {
        bytes += 1;
        if (byte === carriageReturn) continue;
        if (byte === lineFeed && isLineEmpty) bytes = 0;
        isLineEmpty = byte === lineFeed;
        if (bytes > maxBytes) refuse();
      }
      controller.enqueue(chunk);
    },
  });
}

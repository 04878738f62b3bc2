import type { LiveEvents } from "../../src/live/live.ts";
import { ask, locked, RefusedError } from "./api.ts";
import { token } from "./settings.ts";

/** What is done with each event. */
export type Handlers = { readonly [N in keyof LiveEvents]?: (data: LiveEvents[N]) => void };

const firstPauseMs = 500;
const longestPauseMs = 8000;
/** The monitor says something every few seconds; silence for this long is a connection that is gone. */
const silenceMs = 20_000;

/**
 * Follows an event stream of the monitor until the given function is called, and comes back after every end. Not an
 * EventSource, which cannot send the operator's token.
 */
export function followEvents(path: string, handlers: Handlers, connected: (yes: boolean) => void): () => void {
  const closed = new AbortController();
  let pause = firstPauseMs;

  const read = async (signal: AbortSignal, heard: () => void) => {
    const response = await ask(path, { signal });
    if (!response.body) throw new TypeError("the answer has no body");
    locked.value = false;
    connected(true);
    pause = firstPauseMs;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      heard();
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) handleBlock(block, handlers);
    }
  };

  const readOnce = async () => {
    const one = new AbortController();
    const end = () => one.abort();
    closed.signal.addEventListener("abort", end);
    let timer = setTimeout(end, silenceMs);
    try {
      await read(one.signal, () => {
        clearTimeout(timer);
        timer = setTimeout(end, silenceMs);
      });
    } finally {
      clearTimeout(timer);
      closed.signal.removeEventListener("abort", end);
    }
  };

  const run = async () => {
    while (!closed.signal.aborted) {
      let refused = false;
      try {
        await readOnce();
      } catch (error) {
        refused = error instanceof RefusedError && error.status === 401;
      }
      if (closed.signal.aborted) return;
      connected(false);
      await (refused ? awaitNewToken(closed.signal) : pauseFor(pause, closed.signal));
      pause = Math.min(pause * 2, longestPauseMs);
    }
  };
  void run();
  return () => closed.abort();
}

function handleBlock(block: string, handlers: Handlers): void {
  const lines = block.split("\n");
  const name = lines.find((line) => line.startsWith("event: "))?.slice(7) as keyof LiveEvents | undefined;
  const data = lines.find((line) => line.startsWith("data: "))?.slice(6);
  if (name === undefined || data === undefined) return;
  (handlers[name] as ((data: unknown) => void) | undefined)?.(JSON.parse(data));
}

function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

async function awaitNewToken(signal: AbortSignal): Promise<void> {
  const refused = token.value;
  let stop: (() => void) | undefined;
  await new Promise<void>((resolve) => {
    stop = token.subscribe((value) => {
      if (value !== refused) resolve();
    });
    signal.addEventListener("abort", () => resolve());
  });
  stop?.();
}

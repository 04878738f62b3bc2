import type { LiveEvents } from "../../src/live/live.ts";
import { ask, locked, RefusedError } from "./api.ts";
import { token } from "./settings.ts";

/** Handlers for the events of a stream, by the event's name. */
export type EventHandlers = { readonly [N in keyof LiveEvents]?: (data: LiveEvents[N]) => void };

const minPauseMs = 500;
const maxPauseMs = 8000;
/** The monitor sends something every few seconds. After this silence the connection counts as broken. */
const silenceMs = 20_000;

/**
 * Follows an event stream of the monitor and connects again whenever it ends. `connected` is called with every change.
 * Returns a function that stops it. An EventSource would not do, since it cannot send the operator's token.
 */
export function followEvents(
  path: string,
  handlers: EventHandlers,
  connected: (isConnected: boolean) => void = () => undefined,
): () => void {
  const stopped = new AbortController();
  const { signal } = stopped;
  let pause = minPauseMs;
  const opened = () => {
    locked.value = false;
    connected(true);
    pause = minPauseMs;
  };
  const run = async () => {
    while (!signal.aborted) {
      let isRefused = false;
      try {
        await readEvents(path, handlers, opened, signal);
      } catch (error) {
        isRefused = error instanceof RefusedError && error.status === 401;
      }
      if (signal.aborted) return;
      connected(false);
      await (isRefused ? awaitNewToken(signal) : pauseFor(pause, signal));
      pause = Math.min(pause * 2, maxPauseMs);
    }
  };
  void run();
  return () => stopped.abort();
}

/** Reads the stream to its end. Throws if it falls silent, or as `ask` does. */
async function readEvents(
  path: string,
  handlers: EventHandlers,
  opened: () => void,
  signal: AbortSignal,
): Promise<void> {
  const silent = new AbortController();
  const startTimer = () => setTimeout(() => silent.abort(), silenceMs);
  let timer = startTimer();
  try {
    const response = await ask(path, { signal: AbortSignal.any([signal, silent.signal]) });
    if (!response.body) throw new TypeError(`expected a stream from ${path}, got an empty response`);
    opened();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = startTimer();
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) handleBlock(block, handlers);
    }
  } finally {
    clearTimeout(timer);
  }
}

function handleBlock(block: string, handlers: EventHandlers): void {
  const lines = block.split("\n");
  const name = lines.find((line) => line.startsWith("event: "))?.slice(7) as keyof LiveEvents | undefined;
  const data = lines.find((line) => line.startsWith("data: "))?.slice(6);
  if (name === undefined || data === undefined || !Object.hasOwn(handlers, name)) return;
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
  let unsubscribe: (() => void) | undefined;
  await new Promise<void>((resolve) => {
    unsubscribe = token.subscribe((value) => {
      if (value !== refused) resolve();
    });
    signal.addEventListener("abort", () => resolve());
  });
  unsubscribe?.();
}

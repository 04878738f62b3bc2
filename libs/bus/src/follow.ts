import { channels, type Inbound } from "@voxbus/protocol";
import type { Closer } from "./closer.ts";
import type { FollowOptions } from "./bus.ts";
import { BusAwayError } from "./errors.ts";
import { createFrameOrder, type FrameOrder, type Gap } from "./follow-order.ts";
import { watchSilence } from "./follow-silence.ts";
import type { Connection } from "./nats/connection.ts";
import type { Messages } from "./nats/messages.ts";

const lostMs = 300;
const answerTimeoutMs = 1000;
/** How often a gateway is asked for a gap, if it does not answer. */
const gapRequests = 3;
const goneDefaultMs = 12_000;

/** Follows one session. The contract is `Bus.follow`. */
export function runFollow(connection: Connection, messages: Messages, options: FollowOptions): Closer {
  const { device, session, gateway, goneMs = goneDefaultMs } = options;
  const { log, connected } = connection;
  const { subject } = channels.replay(gateway);
  let closed = false;

  const handlers = catchFailures(connection, options);
  const order = createFrameOrder(options.after, handlers);
  /** The gaps that the gateway is being asked for. */
  let asked = 0;
  const gaps = createGapTimer(order, () => asked > 0);

  const take = (frame: Inbound | undefined): void => {
    if (closed || frame?.session !== session) return;
    const gap = order.take(frame);
    if (gap !== undefined) void askForGap(gap);
  };

  // If this process stood still, an answer may have arrived already: the gap is not given up before it was read.
  const askForGap = async ({ from, to }: Gap): Promise<void> => {
    asked += 1;
    for (let tries = 0; tries < gapRequests && !(await ask(from, to)); tries += 1);
    asked -= 1;
    if (!closed) gaps.watch();
  };

  /** Resolves with false if the gateway must be asked again. */
  const ask = async (from: number, to?: number): Promise<boolean> => {
    if (closed || !connected()) return true;
    const request = { session, from, to };
    try {
      const answer = await messages.request(channels.replay(gateway), request, { timeoutMs: answerTimeoutMs });
      silence.answered();
      const before = order.next();
      for (const data of answer.frames) take(messages.decode(channels.inbound.schema, { subject, data }));
      if (order.next() > before) silence.progressed();
      // The answer comes after every frame that was published before it. Those that it lacks are not kept any more.
      if (to === undefined || !answer.open) order.concealTo(answer.newest);
      if (!answer.open) end();
      else if (!closed) gaps.watch();
      return true;
    } catch (err) {
      if (!(err instanceof BusAwayError)) log.warn({ err, device, session, gateway }, "replay failed");
      return !(err instanceof BusAwayError);
    }
  };

  const end = (): void => {
    if (closed) return;
    close();
    handlers.gone();
  };

  const subscription = messages.subscribe(channels.inbound(device), (frame) => {
    if (frame.session !== session) return;
    silence.heard();
    take(frame);
    if (!closed) gaps.watch();
  });
  const silence = watchSilence({ goneMs, connected, quiet: () => void ask(order.next()), gone: end });
  const watch = connection.onChange((isConnected) => {
    if (!isConnected) return;
    silence.answered();
    void ask(order.next());
  });
  const closing = connection.onClose(close);

  function close(): void {
    closed = true;
    silence.stop();
    gaps.stop();
    watch.close();
    closing.close();
    subscription.close();
    order.clear();
  }
  return { close };
}

/** The handlers of a follow. An error that they throw does not end the follow. */
function catchFailures({ drops }: Connection, { device, frame, lost, gone }: FollowOptions) {
  const { subject } = channels.inbound(device);
  return {
    frame: (one: Inbound) => drops.guard(subject, () => frame(one)),
    lost: (from: number, to: number) => drops.guard(subject, () => lost(from, to)),
    gone: () => drops.guard(subject, gone),
  };
}

/** Conceals each gap 300 ms after the frame that showed it, but not while the gateway `isAsked` for one. */
function createGapTimer(order: FrameOrder, isAsked: () => boolean): { watch(): void; stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  const watch = (): void => {
    const since = order.waitingSince();
    if (since === undefined || timer !== undefined || isAsked()) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        if (!isAsked() && performance.now() - (order.waitingSince() ?? Infinity) >= lostMs) order.conceal();
        watch();
      },
      Math.max(1, Math.ceil(since + lostMs - performance.now())),
    );
  };
  return { watch, stop: () => clearTimeout(timer) };
}

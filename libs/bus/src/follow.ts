import { channels, type Inbound } from "@voxbus/protocol";
import { BusAwayError, type Closer, type FollowOptions } from "./bus.ts";
import type { Connection } from "./nats/connection.ts";
import type { Messages } from "./nats/messages.ts";

const quietMs = 500;
const quietMostMs = 4000;
const lostMs = 300;
const answerMs = 1000;
const goneDefaultMs = 12_000;

/** Follows one session; the contract is `Bus.follow`. */
export function runFollow(connection: Connection, messages: Messages, options: FollowOptions): Closer {
  const { device, session, gateway, goneMs = goneDefaultMs } = options;
  let next = options.after + 1;
  /** Frames that came before one that is missing, and when. */
  const early = new Map<number, { readonly frame: Inbound; readonly at: number }>();
  /** The newest seq that came; a frame beyond the next one shows that those between are missing, once. */
  let newest = options.after;
  let losses: NodeJS.Timeout | undefined;
  let heardAt = performance.now();
  let answeredAt = heardAt;
  /** When a frame last came, or was last asked for because none came. */
  let quietAt = heardAt;
  let pauseMs = quietMs;
  let closed = false;

  const deliver = (frame: Inbound): void => {
    next = frame.seq + 1;
    try {
      options.frame(frame);
    } catch (err) {
      connection.log.error({ err, device, session, seq: frame.seq }, "frame handler failed");
    }
  };

  const deliverEarly = (): void => {
    // A handler that closes empties the map.
    for (let one = early.get(next); one !== undefined; one = early.get(next)) {
      early.delete(next);
      deliver(one.frame);
    }
  };

  const take = (frame: Inbound): void => {
    if (closed || frame.session !== session || frame.seq < next) return;
    if (frame.seq > newest + 1) void ask(newest + 1, frame.seq - 1);
    newest = Math.max(newest, frame.seq);
    if (frame.seq > next) {
      if (!early.has(frame.seq)) early.set(frame.seq, { frame, at: performance.now() });
      return;
    }
    deliver(frame);
    deliverEarly();
  };

  const ask = async (from: number, to?: number): Promise<void> => {
    if (closed || !connection.connected()) return;
    const request = { session, from, to };
    try {
      const answer = await messages.request(channels.replay(gateway), request, { timeoutMs: answerMs });
      answeredAt = performance.now();
      const before = next;
      for (const bytes of answer.frames) {
        const frame = messages.decode(channels.inbound.schema, bytes);
        if (frame !== undefined) take(frame);
      }
      if (next > before) pauseMs = quietMs;
      if (answer.open) return mindGaps();
      while (early.size > 0) conceal();
      end();
    } catch (err) {
      if (!(err instanceof BusAwayError)) connection.log.warn({ err, device, session, gateway }, "replay failed");
    }
  };

  /** Gives what is missing before the early frames 300 ms to come, from when it was asked for. */
  function mindGaps(): void {
    if (closed || early.size === 0 || losses !== undefined) return;
    const shownAt = early.get(Math.min(...early.keys()))?.at ?? 0;
    losses = setTimeout(
      () => {
        losses = undefined;
        if (performance.now() - (early.get(Math.min(...early.keys()))?.at ?? Infinity) >= lostMs) conceal();
        mindGaps();
      },
      Math.max(1, Math.ceil(shownAt + lostMs - performance.now())),
    );
  }

  const conceal = (): void => {
    const from = next;
    next = Math.min(...early.keys());
    try {
      options.lost(from, next - 1);
    } catch (err) {
      connection.log.error({ err, device, session }, "lost handler failed");
    }
    deliverEarly();
  };

  const end = (): void => {
    if (closed) return;
    close();
    options.gone();
  };

  const subscription = messages.subscribe(channels.inbound(device), (frame) => {
    if (frame.session !== session) return;
    heardAt = performance.now();
    quietAt = heardAt;
    pauseMs = quietMs;
    take(frame);
    if (early.size > 0) mindGaps();
  });

  const look = (): void => {
    const now = performance.now();
    if (!connection.connected()) {
      answeredAt = now; // it is not the gateway that is silent
    } else if (now - Math.max(heardAt, answeredAt) >= goneMs) {
      return end();
    } else if (now - quietAt >= pauseMs) {
      quietAt = now;
      pauseMs = Math.min(pauseMs * 2, quietMostMs);
      void ask(next);
    }
    timer = setTimeout(look, Math.max(1, quietAt + pauseMs - now));
  };
  let timer = setTimeout(look, quietMs);

  const watch = connection.onChange((connected) => {
    if (!connected) return;
    answeredAt = performance.now();
    void ask(next);
  });
  const closing = connection.onClose(close);

  function close(): void {
    closed = true;
    clearTimeout(timer);
    clearTimeout(losses);
    watch.close();
    closing.close();
    subscription.close();
    early.clear();
  }
  return { close };
}

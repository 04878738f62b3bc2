import { setTimeout as sleep } from "node:timers/promises";
import { AckPolicy, DeliverPolicy, ReplayPolicy, type JetStreamManager } from "@nats-io/jetstream";
import { createInbox, nanos, type Msg } from "@nats-io/transport-node";
import { deviceOfSubject } from "@voxbus/protocol";
import type { z } from "zod";
import type { ClaimMeter } from "../metrics.ts";
import type { ClaimOptions, Claims } from "../bus.ts";
import { readDelivery } from "./delivery.ts";
import { isNameTaken, isPassing } from "../nats/nats-errors.ts";
import { createNaks } from "./naks.ts";
import type { Connection } from "../nats/connection.ts";
import type { Messages } from "../nats/messages.ts";
import { traceAttempt } from "../tracing/spans.ts";
import type { Storage } from "./publish.ts";
import type { EnsureStreams } from "./streams.ts";
import { readTrace } from "../tracing/trace.ts";

const ackWaitMs = 3000;
const progressMs = 1000;
const expiryMs = 1000;
const ackTimeoutMs = 1000;
const finalAttempt = 4;
const lastAttempt = 5;
// Hand-backs are deliveries too, and do not count: only a bound for what kills its worker before it can be counted.
const maxDeliver = 1000;
const tellTries = 5;
const retryMs = 1000;

const working = new TextEncoder().encode("+WPI");
const acknowledge = new TextEncoder().encode("+ACK");
const terminate = new TextEncoder().encode("+TERM");
const nak = new TextEncoder().encode("-NAK");
const nakLater = new TextEncoder().encode(`-NAK {"delay":${nanos(retryMs)}}`);

interface Held {
  /** The newest delivery: its reply subject is the handle on the claim. Without one NATS knows nothing of it any more. */
  handle: Msg | undefined;
  /** When progress was last signalled. */
  heldAt: number;
  /** No progress was signalled for the acknowledgement's wait: another worker may hold it as well. */
  doubtful: boolean;
  readonly abort: AbortController;
  readonly done: Promise<void>;
  /** What the work came to; sent until NATS has taken it. */
  verdict?: Uint8Array;
}

/** Dependencies of a claim loop. */
export interface ClaimDeps {
  readonly connection: Connection;
  readonly jsm: JetStreamManager;
  readonly ensureStreams: EnsureStreams;
  readonly storage: Storage;
  readonly messages: Messages;
  readonly claimMeter: ClaimMeter;
}

/** Runs a claim loop; the contract is `Bus.claim`. */
export async function runClaims<S extends z.ZodType>(deps: ClaimDeps, options: ClaimOptions<S>): Promise<Claims> {
  const { connection, jsm, ensureStreams, messages } = deps;
  const { channel, durable, slots } = options;
  const stream = channel.delivery;
  const { nc, log } = connection;
  const naks = createNaks(deps, { stream, durable });
  const held = new Map<string, Held>();
  /** Openings that were asked for and have neither come nor expired; oldest first. */
  let asked: { count: number; readonly at: number }[] = [];
  /** Those of `held` whose work goes on. */
  let busy = 0;
  let draining = false;
  let ended = false;
  let repairing: Promise<void> | undefined;
  let created: string | undefined;
  const tooLate: Msg[] = [];

  const ensureConsumer = async (): Promise<void> => {
    const config = {
      durable_name: durable,
      filter_subjects: [channel.subject],
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      replay_policy: ReplayPolicy.Instant,
      ack_wait: nanos(ackWaitMs),
      max_deliver: maxDeliver,
      max_ack_pending: 100_000,
      max_waiting: 10_000,
    };
    try {
      await jsm.consumers.add(stream, config);
    } catch (error) {
      if (!isNameTaken(error)) throw error;
      await jsm.consumers.update(stream, durable, config);
    }
  };

  const prepare = async (): Promise<void> => {
    await ensureStreams(stream);
    await ensureConsumer();
    const info = await jsm.streams.info(stream);
    // In a stream made anew the same sequence is another message, which our old handles would acknowledge.
    if (created !== info.created) for (const one of held.values()) one.handle = undefined;
    created = info.created;
  };

  const repair = (): Promise<void> => {
    asked = [];
    repairing ??= (async () => {
      for (;;) {
        if (draining || ended) break;
        try {
          await prepare();
          break;
        } catch (err) {
          log.warn({ err, stream, durable }, "consumer unavailable, retrying");
          await sleep(retryMs);
        }
      }
    })().finally(() => {
      repairing = undefined;
      pull();
    });
    return repairing;
  };

  const inbox = createInbox();
  const api = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`;
  const encoder = new TextEncoder();

  function pull(): void {
    if (draining || ended || repairing !== undefined || !connection.connected()) return;
    const oldest = performance.now() - 2 * expiryMs;
    while (asked[0] !== undefined && (asked[0].count <= 0 || asked[0].at < oldest)) asked.shift();
    const free = slots - busy - asked.reduce((sum, { count }) => sum + count, 0);
    if (free <= 0) return;
    asked.push({ count: free, at: performance.now() });
    nc.publish(api, encoder.encode(`{"batch":${free},"expires":${nanos(expiryMs)}}`), { reply: inbox });
  }

  const settleAsked = (count: number): void => {
    let left = count;
    while (left > 0 && asked[0] !== undefined) {
      const taken = Math.min(left, asked[0].count);
      asked[0].count -= taken;
      left -= taken;
      if (asked[0].count === 0) asked.shift();
    }
  };

  const takeStatus = (message: Msg): void => {
    const code = message.headers?.code ?? 0;
    if (code === 503 || code === 404) {
      void repair();
      return;
    }
    settleAsked(Number(message.headers?.get("Nats-Pending-Messages") || 0));
    // 408 says that the request ran out; anything else (a deleted consumer, a new leader) is looked into.
    if (code === 408) pull();
    else if (code === 409) void repair();
  };

  const conclude = async (key: string, one: Held, verdict: Uint8Array): Promise<void> => {
    one.verdict = verdict;
    busy -= 1;
    pull();
    if (verdict === nak && connection.connected() && !isDoubtful(one)) await naks.note(key);
    for (let tries = 0; tries < tellTries; tries += 1) {
      if (ended) break;
      try {
        if (draining && !connection.connected()) break;
        if (!connection.connected()) await connection.whenConnected(ackWaitMs);
        await repairing;
        // Of a doubtful claim only success is told: to hand it back would take it from the worker that has it now.
        const tell = verdict === acknowledge || !isDoubtful(one);
        if (tell && one.handle?.reply) await nc.request(one.handle.reply, verdict, { timeout: ackTimeoutMs });
        break;
      } catch (err) {
        if (!isPassing(err)) log.warn({ err, durable }, "claim verdict not delivered");
      }
    }
    held.delete(key);
  };

  const take = (message: Msg): void => {
    const { key, attempt, storedAt } = readDelivery(message.reply ?? "");
    const mine = held.get(key);
    if (mine !== undefined) {
      mine.handle = message;
      mine.heldAt = performance.now();
      mine.doubtful = false;
      message.respond(mine.verdict ?? working);
      return;
    }
    if (draining) {
      tooLate.push(message);
      return;
    }
    const body = messages.decode(channel.schema, message.data);
    if (body === undefined) {
      message.respond(terminate);
      return;
    }
    const abort = new AbortController();
    deps.claimMeter.claimed(durable, attempt, Date.now() - storedAt);
    const sent = readTrace(message);
    const traced = traceAttempt({ subject: message.subject, durable, key, attempt }, sent);
    const work = async (): Promise<void> => {
      let verdict = acknowledge;
      let final = false;
      try {
        const failed = attempt < finalAttempt ? attempt : attempt - (await naks.count(key));
        final = failed >= finalAttempt;
        if (failed > lastAttempt) throw new Error("every worker that held this claim failed, even at the apology");
        const claim = {
          device: deviceOfSubject(message.subject) ?? "",
          message: body,
          attempt,
          final,
          trace: traced.trace,
          sent,
          signal: abort.signal,
        };
        await traced.run(() => options.work(claim));
        traced.end("done");
      } catch (err) {
        traced.end(final ? "terminated" : "nakked", err);
        log.warn({ err, durable, attempt }, "claim failed");
        verdict = final ? terminate : draining ? nak : nakLater;
      }
      // Handed back already, when the worker ran out of grace.
      if (held.get(key) === one && one.verdict === undefined) await conclude(key, one, verdict);
    };
    // The work starts after its entry is in the table, whose absence would say that it was handed back.
    const one: Held = {
      handle: message,
      heldAt: performance.now(),
      doubtful: false,
      abort,
      done: Promise.resolve().then(work),
    };
    held.set(key, one);
    busy += 1;
  };

  const subscription = nc.subscribe(inbox, {
    callback: (err, message) => {
      try {
        if (err) throw err;
        if (message.subject === inbox) takeStatus(message);
        else {
          settleAsked(1);
          take(message);
          pull();
        }
      } catch (err) {
        log.error({ err, durable }, "claim handler failed");
      }
    },
  });

  const signalProgress = (): void => {
    if (!connection.connected()) return;
    const now = performance.now();
    for (const one of held.values()) {
      if (one.verdict !== undefined) continue;
      one.doubtful = isDoubtful(one);
      one.heldAt = now;
      one.handle?.respond(working);
    }
    pull();
  };

  const watch = connection.onChange((connected) => {
    asked = [];
    if (!connected) return;
    // First, so that nothing is pulled before it is known whether the stream is still the same.
    void repair();
    signalProgress();
  });
  const timer = setInterval(signalProgress, progressMs);
  const end = (): void => {
    ended = true;
    clearInterval(timer);
    watch.close();
    closing.close();
  };
  const closing = connection.onClose(end);

  try {
    await prepare();
    pull();
  } catch (cause) {
    if (!isPassing(cause)) {
      end();
      subscription.unsubscribe();
      throw new Error(`the consumer ${durable} of ${stream} cannot be created`, { cause });
    }
    void repair();
  }

  let endGrace = (): void => undefined;
  const graceIsOver = new Promise<void>((resolve) => (endGrace = resolve));
  let drained: Promise<void> | undefined;

  const finish = async (): Promise<void> => {
    draining = true;
    // Handing back while our own request still waits would only bring the message here again.
    if (connection.connected()) await Promise.race([subscription.drain(), sleep(expiryMs)]);
    subscription.unsubscribe();
    await Promise.all(tooLate.map(({ reply = "" }) => naks.note(readDelivery(reply).key)));
    for (const message of tooLate) message.respond(nak);
    await Promise.race([graceIsOver, Promise.allSettled([...held.values()].map((one) => one.done))]);
    const left = [...held].filter(([, one]) => one.verdict === undefined);
    await Promise.all(
      left.map(([key, one]) => {
        const nakked = conclude(key, one, nak);
        one.abort.abort(new Error("the worker is being stopped"));
        return nakked;
      }),
    );
    end();
  };
  const drain = async (graceMs: number): Promise<void> => {
    const grace = setTimeout(endGrace, graceMs);
    await (drained ??= finish());
    clearTimeout(grace);
  };

  return { held: () => busy, drain };
}

// The server's wait began with the delivery, or with a progress that left later than it was signalled: half is sure.
function isDoubtful({ doubtful, heldAt }: Held): boolean {
  return doubtful || performance.now() - heldAt > ackWaitMs / 2;
}

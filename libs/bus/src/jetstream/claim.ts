import type { JetStreamManager } from "@nats-io/jetstream";
import type { Msg } from "@nats-io/transport-node";
import type { z } from "zod";
import type { Bucket } from "../bus.ts";
import type { ClaimOptions, Claims } from "./claim-options.ts";
import { ForeignError } from "../errors.ts";
import type { ClaimMeter } from "../metrics.ts";
import type { Connection } from "../nats/connection.ts";
import type { Messages } from "../nats/messages.ts";
import { isTransient } from "../nats/nats-errors.ts";
import { createClaimBudget } from "./claim-budget.ts";
import { createClaimConsumer } from "./claim-consumer.ts";
import { createDrain } from "./claim-drain.ts";
import { createInFlight, isDoubtful, type Held, type InFlight } from "./claim-in-flight.ts";
import { createPuller, type Puller } from "./claim-puller.ts";
import { sendVerdict } from "./claim-verdict.ts";
import { attemptWork } from "./claim-work.ts";
import { readDelivery, verdictBytes, type Verdict } from "./delivery.ts";
import { createNaks } from "./naks.ts";
import type { Publisher } from "./publish.ts";
import type { EnsureStreams } from "./streams.ts";

const progressMs = 1000;

/** Dependencies of a claim loop. */
export interface ClaimDeps {
  readonly connection: Connection;
  readonly jsm: JetStreamManager;
  readonly ensureStreams: EnsureStreams;
  readonly publisher: Publisher;
  readonly messages: Messages;
  readonly claimMeter: ClaimMeter;
  /** The bucket of nak notes. */
  readonly naks: Bucket<string[], string[]>;
}

/** Runs a claim loop. The contract is `Bus.claim`. */
export async function runClaims<S extends z.ZodType>(deps: ClaimDeps, options: ClaimOptions<S>): Promise<Claims> {
  const { connection, jsm, ensureStreams, messages, claimMeter } = deps;
  const { channel, durable, slots } = options;
  const { log, names } = connection;
  const { subject, stream } = names.place(channel);
  const at = { stream, durable: names.durable(durable) };
  claimMeter.began(durable);
  const draining = new AbortController();
  const ended = new AbortController();
  const stopped = (): boolean => draining.signal.aborted || ended.signal.aborted;
  const naks = createNaks({ bucket: deps.naks, log: deps.connection.log }, { stream: channel.delivery, durable });
  const inFlight = createInFlight();
  const budget = typeof slots === "number" ? createClaimBudget(slots) : slots;
  const late: Msg[] = [];
  const place = { ...at, subject, stopped, streamReplaced: inFlight.dropHandles };
  const consumer = createClaimConsumer({ jsm, ensureStreams, log }, place);

  const settle = async (held: Held, verdict: Verdict): Promise<void> => {
    inFlight.finish(held, verdict);
    budget.freed();
    if (verdict === "nak" && connection.connected() && !isDoubtful(held)) await naks.note(held.key);
    await sendVerdict(held, verdict, { connection, consumer, durable, draining: draining.signal, ended: ended.signal });
    inFlight.remove(held);
  };

  const take = (arrived: Msg): void => {
    const delivery = readDelivery(arrived.reply ?? "");
    if (inFlight.adopt(delivery, arrived)) return;
    if (draining.signal.aborted) {
      late.push(arrived);
      return;
    }
    const message = messages.decode(channel.schema, arrived);
    if (message === undefined) {
      arrived.respond(verdictBytes.term);
      return;
    }
    inFlight.start(delivery.key, arrived, async (held) => {
      const { signal } = held.abort;
      const work = { naks, claimMeter, connection, draining: draining.signal };
      const verdict = await attemptWork(work, options, { arrived, delivery, message, signal });
      // The drain has already settled it when the grace is over.
      if (held.verdict === undefined) await settle(held, verdict);
    });
  };

  const repair = (): void => {
    puller.reset();
    void consumer.repair().then(puller.pull);
  };
  const { busy } = inFlight;
  const free = budget.join({ busy, pull: () => puller.pull() });
  const puller = createPuller(connection, {
    ...at,
    free: () => (stopped() || consumer.repairing() !== undefined ? 0 : free()),
    job: take,
    unavailable: repair,
  });

  const stopBeat = startBeat(connection, inFlight, { pull: puller.pull, reset: puller.reset, repair });
  const end = (): void => {
    ended.abort();
    stopBeat();
    closing.close();
  };
  const closing = connection.onClose(end);
  try {
    await consumer.ensure();
    puller.pull();
  } catch (cause) {
    if (!isTransient(cause)) {
      end();
      puller.close();
      throw nameProblem(cause, `the consumer ${at.durable} of ${stream} cannot be created`);
    }
    repair();
  }
  const drain = createDrain({ puller, inFlight, naks, late, settle, begin: () => draining.abort(), end });
  return { held: busy, drain };
}

function nameProblem(cause: unknown, message: string): Error {
  return cause instanceof ForeignError ? cause : new Error(message, { cause });
}

/** Signals progress and pulls every second, and repairs the consumer after each reconnect. Returns what stops it. */
function startBeat(
  connection: Connection,
  inFlight: InFlight,
  { pull, reset, repair }: { readonly repair: () => void } & Pick<Puller, "pull" | "reset">,
): () => void {
  const timer = setInterval(() => {
    if (!connection.connected()) return;
    inFlight.signalProgress();
    pull();
  }, progressMs);
  const watch = connection.onChange((connected) => {
    reset();
    if (!connected) return;
    // First, so that nothing is pulled or acknowledged before it is known whether the stream is still the same.
    repair();
    inFlight.signalProgress();
  });
  return () => {
    clearInterval(timer);
    watch.close();
  };
}

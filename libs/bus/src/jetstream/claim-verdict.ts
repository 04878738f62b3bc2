import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "../nats/connection.ts";
import { isTransient } from "../nats/nats-errors.ts";
import { ackWaitMs, type ClaimConsumer } from "./claim-consumer.ts";
import { isDoubtful, type Held } from "./claim-in-flight.ts";
import { verdictBytes, type Verdict } from "./delivery.ts";

const timeoutMs = 1000;
const maxTries = 5;
const pauseMs = 200;

/** The claim loop that a verdict belongs to. */
interface VerdictOptions {
  readonly connection: Connection;
  readonly consumer: ClaimConsumer;
  readonly durable: string;
  readonly draining: AbortSignal;
  readonly ended: AbortSignal;
}

/** Sends a claim's verdict until NATS confirms it, 5 times at most, with a pause in between. */
export async function sendVerdict(held: Held, verdict: Verdict, options: VerdictOptions): Promise<void> {
  const { connection, consumer, durable, draining, ended } = options;
  for (let tries = 1; tries <= maxTries && !ended.aborted; tries += 1) {
    try {
      if (!connection.connected()) {
        if (draining.aborted) return;
        await connection.whenConnected(ackWaitMs);
      }
      await consumer.repairing();
      // A doubtful claim is only acknowledged: a nak would take it from the worker that may hold it now.
      const allowed = verdict === "ack" || !isDoubtful(held);
      const subject = held.handle?.reply;
      if (allowed && subject) await connection.nc.request(subject, verdictBytes[verdict], { timeout: timeoutMs });
      return;
    } catch (err) {
      if (tries === maxTries || !isTransient(err))
        connection.log.warn({ err, durable, tries }, "claim verdict not delivered");
      await sleep(pauseMs);
    }
  }
}

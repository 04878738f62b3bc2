import type { Msg } from "@nats-io/transport-node";
import { deviceOfSubject } from "@voxbus/protocol";
import type { z } from "zod";
import type { ClaimOptions } from "./claim-options.ts";
import type { Connection } from "../nats/connection.ts";
import type { ClaimMeter } from "../metrics.ts";
import { traceAttempt } from "../tracing/spans.ts";
import { readTrace } from "../tracing/trace.ts";
import type { DeliveryInfo, Verdict } from "./delivery.ts";
import type { Naks } from "./naks.ts";

/** From this delivery on the work is final, not counting the deliveries that followed a nak while draining. */
const finalDelivery = 4;
/** After this delivery the message is dropped without work. */
const lastDelivery = 5;

/** Dependencies of the work on a claim. */
interface WorkDeps {
  readonly naks: Naks;
  readonly claimMeter: ClaimMeter;
  readonly connection: Pick<Connection, "log" | "drops" | "names">;
  readonly draining: AbortSignal;
}

/** One delivery of a job. */
interface Job<S extends z.ZodType> {
  readonly arrived: Msg;
  readonly delivery: DeliveryInfo;
  readonly message: z.infer<S>;
  readonly signal: AbortSignal;
}

/** Does the work on one delivery of a job, inside a span of its own, and gives the verdict. */
export async function attemptWork<S extends z.ZodType>(
  { naks, claimMeter, connection, draining }: WorkDeps,
  { durable, work }: Pick<ClaimOptions<S>, "durable" | "work">,
  { arrived, delivery, message, signal }: Job<S>,
): Promise<Verdict> {
  const subject = connection.names.plain(arrived.subject);
  const { key, attempt, seq, storedAt } = delivery;
  const sent = readTrace(arrived);
  const { trace, run, end } = traceAttempt({ subject, durable, key, attempt }, sent);
  claimMeter.claimed(durable, attempt, Date.now() - storedAt);
  let final = false;
  try {
    const counted = attempt < finalDelivery ? attempt : attempt - (await naks.count(key));
    final = counted >= finalDelivery;
    if (counted > lastDelivery) throw new Error(`all ${lastDelivery} workers that held this claim failed; dropping it`);
    const device = deviceOfSubject(subject) ?? "";
    await run(() => work({ device, message, seq, storedAt, attempt, final, trace, sent, signal }));
    end("done");
    return "ack";
  } catch (err) {
    end(final ? "terminated" : "nakked", err);
    connection.log.warn({ err, subject, durable, attempt, ...nameTurn(subject, message) }, "claim failed");
    if (final) {
      connection.drops.failed(subject, err, arrived.data);
      return "term";
    }
    return draining.aborted ? "nak" : "nakLater";
  }
}

/** Names the turn of a job for the log: device, session and origin, as far as the message has them. */
function nameTurn(subject: string, message: unknown): Readonly<Record<string, unknown>> {
  const { session, origin, seq, body } = message as Readonly<Record<string, unknown>>;
  // A typed text begins a turn by itself.
  const turn = origin ?? (typeof body === "string" ? seq : undefined);
  return { device: deviceOfSubject(subject), session, turn };
}

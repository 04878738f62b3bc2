import { errors, headers, type Msg, type Subscription } from "@nats-io/transport-node";
import { decodeEnvelope, deviceOfSubject, encodeEnvelope, ProtocolError, type Channel } from "@voxbus/protocol";
import type { z } from "zod";
import type { Bus, Closer, Outgoing } from "../bus.ts";
import { BusAwayError, DeniedError } from "../errors.ts";
import { brokerTraceSubject } from "../names.ts";
import { BrokerTrace } from "../tracing/broker-trace.ts";
import { readTrace, writeTrace, type Trace } from "../tracing/trace.ts";
import { parseJson } from "../json.ts";
import type { Connection } from "./connection.ts";
import { explainDenial } from "./nats-errors.ts";
import { slimSubscription } from "./slim-subscription.ts";

const requestTimeoutMs = 2000;
const refusalHeader = "Nats-Service-Error";

/** The bytes of a message, and the subject that it came on. */
type Arrived = Pick<Msg, "subject" | "data">;

/** Core NATS messages: publish, subscribe, request and respond. The contract is on the methods of `Bus`. */
export interface Messages extends Pick<Bus, "publish" | "subscribe" | "respond" | "request" | "brokerTraces"> {
  /** Decodes a message. Returns undefined for a message that does not decode, reports it as a drop, and calls `refused`. */
  decode<S extends z.ZodType>(
    schema: S,
    message: Arrived,
    refused?: (error: ProtocolError) => void,
  ): z.infer<S> | undefined;
}

/** Encodes an envelope. Bytes are taken as they are. */
export function toBytes<S extends z.ZodType>(schema: S, envelope: Outgoing<S>): Uint8Array {
  return envelope instanceof Uint8Array ? envelope : encodeEnvelope(schema, envelope);
}

/** The trace headers of a message. Audio frames have no headers. */
export function traceHeaders(channel: Channel, envelope: unknown, trace: Trace | undefined) {
  const isAudio = (envelope as { readonly kind?: unknown }).kind === "audio";
  return channel.traced && !isAudio ? writeTrace(trace) : undefined;
}

/** Creates the messages of one connection. */
export function createMessages(connection: Connection): Messages {
  const { nc, names } = connection;

  const decode: Messages["decode"] = (schema, { subject: given, data }, refused) => {
    const subject = names.plain(given);
    try {
      return decodeEnvelope(schema, data);
    } catch (error) {
      if (error instanceof ProtocolError) {
        const reason = error.code === "newer-version" ? error.code : "bad-envelope";
        connection.drops.report({ subject, reason, field: error.field });
        refused?.(error);
      } else connection.drops.failed(subject, error);
      return undefined;
    }
  };

  return {
    decode,
    publish: (channel, envelope, trace) => {
      connection.checkRoom();
      const traced = traceHeaders(channel, envelope, trace);
      nc.publish(names.subject(channel.subject), toBytes(channel.schema, envelope), traced && { headers: traced });
    },
    subscribe: ({ subject, schema }, handler, { queue } = {}) =>
      listen(
        connection,
        { subject: names.subject(subject), ...(queue && { queue: names.queue(queue) }) },
        (arrived) => {
          const message = decode(schema, arrived);
          if (message === undefined) return undefined;
          const subject = names.plain(arrived.subject);
          return handler(message, { subject, device: deviceOfSubject(subject) ?? "", trace: readTrace(arrived) });
        },
      ),
    brokerTraces: (handler) =>
      listen(connection, { subject: brokerTraceSubject, queue: names.queue("voxbus-trace") }, (arrived) => {
        const { value, field } = parseJson(BrokerTrace, arrived.data);
        // The reports on the messages of all systems and applications of the account come here.
        if (value?.events.some(({ type, subj = "" }) => type === "in" && names.owns(subj))) {
          const plain = value.events.map((one) =>
            one.subj === undefined ? one : { ...one, subj: names.plain(one.subj) },
          );
          return handler({ ...value, events: plain });
        }
        if (value !== undefined) return undefined;
        return connection.drops.report({ subject: arrived.subject, reason: "bad-envelope", field: field ?? "value" });
      }),
    respond: ({ subject, schema, answer }, handler) =>
      listen(connection, { subject: names.subject(subject) }, (arrived) => {
        const message = decode(schema, arrived, (error) => refuse(arrived, 400, `${error.code}: ${error.message}`));
        if (message === undefined) return;
        try {
          arrived.respond(encodeEnvelope(answer, handler(message)));
        } catch (error) {
          refuse(arrived, 500, "handler-failed");
          throw error;
        }
      }),
    request: async ({ subject, schema, answer }, envelope, { timeoutMs = requestTimeoutMs } = {}, signal) => {
      const data = encodeEnvelope(schema, envelope);
      const read = (answered: Msg) => {
        const refusal = answered.headers?.get(refusalHeader);
        if (refusal) throw new Error(`the request on ${subject} was refused: ${refusal}`);
        return decodeEnvelope(answer, answered.data);
      };
      return requestOnce(connection, { subject, data, timeoutMs, read }, signal);
    },
  };
}

/** Answers a request with an error, as the programs of NATS's own service API do (ADR-32). */
function refuse(request: Msg, code: 400 | 500, reason: string): void {
  const refusal = headers();
  refusal.set(refusalHeader, reason);
  refusal.set(`${refusalHeader}-Code`, String(code));
  request.respond(undefined, { headers: refusal });
}

// An error that reached nats.js would silently end its reading of the connection.
function listen(
  { nc, log, drops, names }: Connection,
  { subject, queue }: { readonly subject: string; readonly queue?: string },
  handle: (message: Msg) => unknown,
): Closer {
  const subscribed = nc.subscribe(subject, {
    ...(queue === undefined ? {} : { queue }),
    callback: (err, message) => {
      if (err instanceof errors.PermissionViolationError) return; // the connection has logged it
      if (err) log.error({ err, subject }, "subscription failed");
      else drops.guard(names.plain(message.subject), () => handle(message));
    },
  });
  return new SubscriptionCloser(slimSubscription(subscribed));
}

/** Ends a subscription. */
class SubscriptionCloser implements Closer {
  readonly #subscription: Subscription;

  constructor(subscription: Subscription) {
    this.#subscription = subscription;
  }

  close(): void {
    if (!this.#subscription.isClosed()) this.#subscription.unsubscribe();
  }
}

/** A request on the bus. */
interface RequestOptions<T> {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly timeoutMs: number;
  /** Reads an answer. Throws ProtocolError if it does not decode. */
  readonly read: (answer: Msg) => T;
}

async function requestOnce<T>(
  connection: Connection,
  { subject, data, timeoutMs, read }: RequestOptions<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  signal?.throwIfAborted();
  if (!connection.connected()) throw new BusAwayError("NATS is away");
  const ask = async (): Promise<T> => {
    let problem: unknown;
    for await (const answered of await connection.nc.requestMany(connection.names.subject(subject), data, {
      maxWait: timeoutMs,
    })) {
      try {
        return read(answered);
      } catch (error) {
        // A stream of another application that stores the request answers it too.
        if (!(error instanceof ProtocolError)) throw error;
        problem = error;
      }
    }
    throw new BusAwayError(`no answer on ${subject}`, { cause: problem });
  };
  try {
    return await raceAbort(ask(), signal);
  } catch (error) {
    const cause = explainDenial(error);
    if (cause instanceof DeniedError) throw cause;
    const unanswered = [errors.TimeoutError, errors.NoRespondersError, errors.ClosedConnectionError].some(
      (kind) => cause instanceof kind,
    );
    throw unanswered ? new BusAwayError(`no answer on ${subject}`, { cause }) : cause;
  }
}

async function raceAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
    promise.catch(() => undefined); // it may still time out after the abort
  }
}

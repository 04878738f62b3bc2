import { errors, type Msg } from "@nats-io/transport-node";
import { decodeEnvelope, deviceOfSubject, encodeEnvelope, ProtocolError } from "@voxbus/protocol";
import type { z } from "zod";
import { BrokerTrace, brokerTraceSubject } from "../tracing/broker-trace.ts";
import { BusAwayError, type Arrival, type Closer } from "../bus.ts";
import type { Link } from "./connection.ts";
import { readTrace, writeTrace, type Trace } from "../tracing/trace.ts";

/** Core NATS messages: publish, subscribe, request and respond. */
export interface Messages {
  publish(subject: string, envelope: object | Uint8Array, trace?: Trace): void;
  subscribe<S extends z.ZodType>(
    subject: string,
    schema: S,
    handler: (message: z.infer<S>, arrival: Arrival) => void,
    options?: { readonly queue?: string },
  ): Closer;
  respond<S extends z.ZodType>(
    subject: string,
    schema: S,
    handler: (message: z.infer<S>) => object | Uint8Array,
  ): Closer;
  request<S extends z.ZodType>(
    subject: string,
    envelope: object,
    schema: S,
    options?: { readonly timeoutMs?: number },
    signal?: AbortSignal,
  ): Promise<z.infer<S>>;
  /** What nats-server says of traced messages; of all programs one gets each report. */
  brokerTraces(handler: (report: BrokerTrace) => void): Closer;
  /** Decodes, or counts why not and gives undefined. */
  decode<S extends z.ZodType>(schema: S, data: Uint8Array): z.infer<S> | undefined;
  drops(): Readonly<Record<string, number>>;
}

/** The bytes of an envelope; what is encoded already is taken as it is. */
export function toBytes(envelope: object | Uint8Array): Uint8Array {
  return envelope instanceof Uint8Array ? envelope : encodeEnvelope(envelope);
}

/** The trace headers of a message; audio has none (docs/bus.md). */
export function traceHeaders(subject: string, envelope: object | Uint8Array, trace: Trace | undefined) {
  const audio = subject.endsWith(".in.audio") || ("kind" in envelope && envelope.kind === "audio");
  return audio ? undefined : writeTrace(trace);
}

/** Creates the messages of one link. */
export function createMessages(link: Link): Messages {
  const { nc, log } = link;
  const drops: Record<string, number> = {};

  const decode = <S extends z.ZodType>(schema: S, data: Uint8Array): z.infer<S> | undefined => {
    try {
      return decodeEnvelope(schema, data);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      drops[error.code] = (drops[error.code] ?? 0) + 1;
      return undefined;
    }
  };

  // An error that reached nats.js would end its reading of the connection, silently.
  const listen = (subject: string, handle: (message: Msg) => void, queue?: string): Closer => {
    const subscription = nc.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (err, message) => {
        try {
          if (err) throw err;
          handle(message);
        } catch (err) {
          log.error({ err, subject }, "a message could not be handled");
        }
      },
    });
    return {
      close: () => {
        if (!subscription.isClosed()) subscription.unsubscribe();
      },
    };
  };

  const publish = (subject: string, envelope: object | Uint8Array, trace?: Trace): void => {
    if (!link.connected()) throw new BusAwayError("NATS is away");
    const headers = traceHeaders(subject, envelope, trace);
    nc.publish(subject, toBytes(envelope), headers === undefined ? undefined : { headers });
  };

  return {
    decode,
    publish,
    drops: () => ({ ...drops }),
    subscribe: (subject, schema, handler, options) =>
      listen(
        subject,
        (arrived) => {
          const message = decode(schema, arrived.data);
          if (message === undefined) return;
          const { subject } = arrived;
          handler(message, { subject, device: deviceOfSubject(subject) ?? "", trace: readTrace(arrived) });
        },
        options?.queue,
      ),
    brokerTraces: (handler) =>
      listen(
        brokerTraceSubject,
        (arrived) => handler(BrokerTrace.parse(JSON.parse(arrived.string()))),
        brokerTraceSubject.replace(".", "-"),
      ),
    respond: (subject, schema, handler) =>
      listen(subject, (arrived) => {
        const message = decode(schema, arrived.data);
        if (message !== undefined) arrived.respond(toBytes(handler(message)));
      }),
    request: async (subject, envelope, schema, { timeoutMs = 2000 } = {}, signal) => {
      signal?.throwIfAborted();
      if (!link.connected()) throw new BusAwayError("NATS is away");
      try {
        const answer = await raceAbort(nc.request(subject, toBytes(envelope), { timeout: timeoutMs }), signal);
        return decodeEnvelope(schema, answer.data);
      } catch (cause) {
        const unanswered = [errors.TimeoutError, errors.RequestError, errors.ClosedConnectionError].some(
          (kind) => cause instanceof kind,
        );
        throw unanswered ? new BusAwayError(`nobody answers on ${subject}`, { cause }) : cause;
      }
    },
  };
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
    promise.catch(() => undefined); // it may still time out, when nobody waits for it
  }
}

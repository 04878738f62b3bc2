import { errors, type Msg } from "@nats-io/transport-node";
import { decodeEnvelope, deviceOfSubject, encodeEnvelope, ProtocolError, type Channel } from "@voxbus/protocol";
import type { z } from "zod";
import { BrokerTrace, brokerTraceSubject } from "../tracing/broker-trace.ts";
import { BusAwayError, type Bus, type Closer, type Outgoing } from "../bus.ts";
import type { Connection } from "./connection.ts";
import { readTrace, writeTrace, type Trace } from "../tracing/trace.ts";

/** Core NATS messages: publish, subscribe, request and respond. The contract is on the methods of `Bus`. */
export interface Messages extends Pick<Bus, "publish" | "subscribe" | "respond" | "request" | "brokerTraces"> {
  /** Decodes a message, or counts the reason and gives undefined. */
  decode<S extends z.ZodType>(schema: S, data: Uint8Array): z.infer<S> | undefined;
  drops(): Readonly<Record<string, number>>;
}

/** The bytes of an envelope. An encoded one is taken as it is. */
export function toBytes<S extends z.ZodType>(schema: S, envelope: Outgoing<S>): Uint8Array {
  return envelope instanceof Uint8Array ? envelope : encodeEnvelope(schema, envelope);
}

/** The trace headers of a message. Audio frames have none. */
export function traceHeaders(channel: Channel, envelope: unknown, trace: Trace | undefined) {
  const isAudio = (envelope as { readonly kind?: unknown }).kind === "audio";
  return channel.traced && !isAudio ? writeTrace(trace) : undefined;
}

/** Creates the messages of one connection. */
export function createMessages(connection: Connection): Messages {
  const { nc, log } = connection;
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
          log.error({ err, subject }, "message handler failed");
        }
      },
    });
    return {
      close: () => {
        if (!subscription.isClosed()) subscription.unsubscribe();
      },
    };
  };

  const publish: Bus["publish"] = (channel, envelope, trace) => {
    if (!connection.connected()) throw new BusAwayError("NATS is away");
    const headers = traceHeaders(channel, envelope, trace);
    nc.publish(channel.subject, toBytes(channel.schema, envelope), headers === undefined ? undefined : { headers });
  };

  return {
    decode,
    publish,
    drops: () => ({ ...drops }),
    subscribe: ({ subject, schema }, handler, options) =>
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
    respond: ({ subject, schema, answer }, handler) =>
      listen(subject, (arrived) => {
        const message = decode(schema, arrived.data);
        if (message !== undefined) arrived.respond(encodeEnvelope(answer, handler(message)));
      }),
    request: async ({ subject, schema, answer: answerSchema }, envelope, { timeoutMs = 2000 } = {}, signal) => {
      signal?.throwIfAborted();
      if (!connection.connected()) throw new BusAwayError("NATS is away");
      try {
        const data = encodeEnvelope(schema, envelope);
        const answer = await raceAbort(nc.request(subject, data, { timeout: timeoutMs }), signal);
        return decodeEnvelope(answerSchema, answer.data);
      } catch (cause) {
        const unanswered = [errors.TimeoutError, errors.RequestError, errors.ClosedConnectionError].some(
          (kind) => cause instanceof kind,
        );
        throw unanswered ? new BusAwayError(`no answer on ${subject}`, { cause }) : cause;
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
    promise.catch(() => undefined); // it may still time out after the abort
  }
}

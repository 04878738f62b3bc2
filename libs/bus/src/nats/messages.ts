import { errors, type Msg } from "@nats-io/transport-node";
import { decodeEnvelope, deviceOfSubject, encodeEnvelope, ProtocolError, type Channel } from "@voxbus/protocol";
import type { z } from "zod";
import type { Bus, Closer, Outgoing } from "../bus.ts";
import { BusAwayError } from "../errors.ts";
import { BrokerTrace, brokerTraceSubject } from "../tracing/broker-trace.ts";
import { readTrace, writeTrace, type Trace } from "../tracing/trace.ts";
import type { Connection } from "./connection.ts";

const requestTimeoutMs = 2000;

/** The bytes of a message, and the subject that it came on. */
type Arrived = Pick<Msg, "subject" | "data">;

/** Core NATS messages: publish, subscribe, request and respond. The contract is on the methods of `Bus`. */
export interface Messages extends Pick<Bus, "publish" | "subscribe" | "respond" | "request" | "brokerTraces"> {
  /** Decodes a message. Returns undefined for a message that does not decode, and reports it as a drop. */
  decode<S extends z.ZodType>(schema: S, message: Arrived): z.infer<S> | undefined;
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
  const { nc } = connection;

  const decode = <S extends z.ZodType>(schema: S, { subject, data }: Arrived): z.infer<S> | undefined => {
    try {
      return decodeEnvelope(schema, data);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      connection.drops.report({ subject, reason: error.code, field: error.field });
      return undefined;
    }
  };

  return {
    decode,
    publish: (channel, envelope, trace) => {
      connection.checkRoom();
      const headers = traceHeaders(channel, envelope, trace);
      nc.publish(channel.subject, toBytes(channel.schema, envelope), headers === undefined ? undefined : { headers });
    },
    subscribe: ({ subject, schema }, handler, options) =>
      listen(connection, { subject, queue: options?.queue }, (arrived) => {
        const message = decode(schema, arrived);
        if (message === undefined) return;
        const { subject } = arrived;
        handler(message, { subject, device: deviceOfSubject(subject) ?? "", trace: readTrace(arrived) });
      }),
    brokerTraces: (handler) =>
      listen(connection, { subject: brokerTraceSubject, queue: brokerTraceSubject.replace(".", "-") }, (arrived) =>
        handler(BrokerTrace.parse(JSON.parse(arrived.string()))),
      ),
    respond: ({ subject, schema, answer }, handler) =>
      listen(connection, { subject }, (arrived) => {
        const message = decode(schema, arrived);
        if (message !== undefined) arrived.respond(encodeEnvelope(answer, handler(message)));
      }),
    request: async ({ subject, schema, answer }, envelope, { timeoutMs = requestTimeoutMs } = {}, signal) => {
      const data = encodeEnvelope(schema, envelope);
      return decodeEnvelope(answer, await requestOnce(connection, { subject, data, timeoutMs }, signal));
    },
  };
}

// An error that reached nats.js would silently end its reading of the connection.
function listen(
  { nc, log }: Connection,
  { subject, queue }: { readonly subject: string; readonly queue?: string | undefined },
  handle: (message: Msg) => void,
): Closer {
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
}

async function requestOnce(
  connection: Connection,
  { subject, data, timeoutMs }: { readonly subject: string; readonly data: Uint8Array; readonly timeoutMs: number },
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  signal?.throwIfAborted();
  if (!connection.connected()) throw new BusAwayError("NATS is away");
  try {
    return (await raceAbort(connection.nc.request(subject, data, { timeout: timeoutMs }), signal)).data;
  } catch (cause) {
    const unanswered = [errors.TimeoutError, errors.RequestError, errors.ClosedConnectionError].some(
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

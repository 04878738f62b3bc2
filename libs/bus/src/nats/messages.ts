import { errors, headers, type Msg } from "@nats-io/transport-node";
import {
  decodeEnvelope,
  deviceOfSubject,
  encodeEnvelope,
  isDeviceId,
  ProtocolError,
  type Channel,
  type RequestChannel,
} from "@voxbus/protocol";
import type { z } from "zod";
import type { Arrival } from "../arrival.ts";
import type { Bus, Outgoing } from "../bus.ts";
import type { Closer } from "../closer.ts";
import { BusAwayError, DeniedError, NoResponderError, RefusedError } from "../errors.ts";
import { brokerTraceSubject } from "../names.ts";
import { BrokerTrace } from "../tracing/broker-trace.ts";
import { readTrace, writeTrace, type Trace } from "../tracing/trace.ts";
import { parseJson } from "../json.ts";
import type { Connection } from "./connection.ts";
import { maxLimit } from "./drops.ts";
import { listen } from "./listen.ts";
import { explainDenial, isUnanswered } from "./nats-errors.ts";

const requestTimeoutMs = 2000;
const refusalHeader = "Nats-Service-Error";
/** The most characters of a refusal's reason. */
const maxReason = 1024;

/** The names of queue groups. White space would break the protocol of NATS. */
const queueName = /^[\w.-]{1,128}$/;

/** The bytes of a message, and the subject that it came on. */
type Arrived = Pick<Msg, "subject" | "data">;

/** Core NATS messages: publish, subscribe, request and respond. The contract is on the methods of `Bus`. */
export interface Messages extends Pick<
  Bus,
  "publish" | "subscribe" | "subscribeRaw" | "respond" | "request" | "brokerTraces"
> {
  /**
   * Answers requests as `respond` does. Of all that have the same `queue`, one gets each request, and a
   * close loses none. The queue gets no prefix.
   */
  answer<Q extends z.ZodType, A extends z.ZodType>(
    channel: RequestChannel<Q, A>,
    handler: (message: z.infer<Q>, arrival: Arrival) => z.input<A> | Promise<z.input<A>>,
    options: { readonly queue?: string },
  ): Closer;
  /**
   * Decodes a message. Returns undefined for a message that does not decode, or whose subject has no valid device id, reports it as a
   * drop, and calls `refused`.
   */
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
    const device = deviceOfSubject(subject);
    if (device !== undefined && !isDeviceId(device)) {
      const limit = "must have a device id of 1 to 64 characters of A-Z a-z 0-9 : _ -, MAC addresses in lower case";
      connection.drops.report({ subject, reason: "bad-envelope", field: "subject", limit, message: data });
      return undefined;
    }
    try {
      return decodeEnvelope(schema, data);
    } catch (error) {
      if (error instanceof ProtocolError) {
        connection.drops.report({ subject, ...describeProblem(error), message: data });
        refused?.(error);
      } else connection.drops.failed(subject, error, data);
      return undefined;
    }
  };

  const answer = createAnswer(connection, decode);

  return {
    decode,
    answer,
    publish: (channel, envelope, trace) => {
      connection.checkRoom();
      const subject = names.subject(channel.subject);
      if (connection.isSilenced(subject)) return;
      const traced = traceHeaders(channel, envelope, trace);
      nc.publish(subject, toBytes(channel.schema, envelope), traced && { headers: traced });
    },
    subscribe({ subject: pattern, schema }, handler, { queue } = {}) {
      if (queue !== undefined && !queueName.test(queue))
        throw new RangeError("queue: expected 1 to 128 characters of A-Z a-z 0-9 . _ -");
      const subject = names.subject(pattern);
      return listen(connection, { subject, ...(queue !== undefined && { queue: names.queue(queue) }) }, (arrived) => {
        const message = decode(schema, arrived);
        if (message === undefined) return undefined;
        return handler(message, arrivalOf(connection, arrived));
      });
    },
    subscribeRaw: (pattern, handler) =>
      listen(connection, { subject: names.subject(pattern) }, (arrived) => {
        const { subject, device } = arrivalOf(connection, arrived);
        const headers = Object.fromEntries([...(arrived.headers ?? [])].map(([key, [value = ""]]) => [key, value]));
        return handler({ subject, device, data: arrived.data, headers });
      }),
    brokerTraces: (handler) =>
      listen(connection, { subject: brokerTraceSubject, queue: names.queue("voxbus-trace") }, (arrived) => {
        const { value, broken } = parseJson(BrokerTrace, arrived.data);
        if (broken) return connection.drops.report({ subject: arrived.subject, reason: "bad-envelope", ...broken });
        // The reports on the messages of all systems and applications of the account come here.
        if (value.events.some(({ type, subj = "" }) => type === "in" && names.owns(subj))) {
          const plain = value.events.map((one) =>
            one.subj === undefined ? one : { ...one, subj: names.plain(one.subj) },
          );
          return handler({ ...value, events: plain });
        }
        return undefined;
      }),
    respond: (channel, handler) => answer(channel, handler, {}),
    request: async ({ subject, schema, answer }, envelope, { timeoutMs = requestTimeoutMs, trace } = {}, signal) => {
      const data = encodeEnvelope(schema, envelope);
      const read = (answered: Msg) => {
        const reason = answered.headers?.get(refusalHeader);
        const code = Number(answered.headers?.get(`${refusalHeader}-Code`)) || 500;
        if (reason) throw new RefusedError(shortenReason(reason), { code, subject });
        return decodeEnvelope(answer, answered.data);
      };
      return requestOnce(connection, { subject, data, trace, timeoutMs, read }, signal);
    },
  };
}

/** Describes why a message does not decode, as a drop. */
function describeProblem({ code, field, message }: ProtocolError) {
  // Its message begins with the field.
  const limit = message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
  const reason = code === "newer-version" ? code : "bad-envelope";
  return { reason, field, limit: limit.slice(0, maxLimit) } as const;
}

/** Where a message came from. */
function arrivalOf({ names }: Connection, arrived: Msg): Arrival {
  const subject = names.plain(arrived.subject);
  return { subject, device: deviceOfSubject(subject) ?? "", trace: readTrace(arrived) };
}

function createAnswer(connection: Connection, decode: Messages["decode"]): Messages["answer"] {
  const { names } = connection;
  return ({ subject, schema, answer: reply }, handler, { queue }) =>
    listen(connection, { subject: names.subject(subject), ...(queue && { queue, drains: true }) }, (arrived) => {
      const message = decode(schema, arrived, (error) => refuse(arrived, 400, `${error.code}: ${error.message}`));
      if (message === undefined) return undefined;
      const give = (given: z.input<typeof reply>) => void arrived.respond(encodeEnvelope(reply, given));
      const fail = (error: unknown): void => {
        if (error instanceof RefusedError) return refuse(arrived, error.code, error.reason);
        refuse(arrived, 500, "handler-failed");
        throw error;
      };
      try {
        const given = handler(message, arrivalOf(connection, arrived));
        if (given instanceof Promise) return given.then(give).catch(fail);
        return give(given);
      } catch (error) {
        return fail(error);
      }
    });
}

/** Answers a request with an error, as the programs of NATS's own service API do (ADR-32). */
function refuse(request: Msg, code: number, reason: string): void {
  const refusal = headers();
  refusal.set(refusalHeader, shortenReason(reason));
  refusal.set(`${refusalHeader}-Code`, String(code));
  request.respond(undefined, { headers: refusal });
}

/** Makes a reason one line, as headers are, of at most 1024 characters. Programs in other languages write longer ones. */
function shortenReason(reason: string): string {
  return reason.replaceAll(/\s+/g, " ").trim().slice(0, maxReason).toWellFormed() || "refused";
}

/** A request on the bus. */
interface RequestOptions<T> {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly trace: Trace | undefined;
  readonly timeoutMs: number;
  /** Reads an answer. Throws ProtocolError if it does not decode. */
  readonly read: (answer: Msg) => T;
}

async function requestOnce<T>(
  connection: Connection,
  { subject, data, trace, timeoutMs, read }: RequestOptions<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  signal?.throwIfAborted();
  if (!connection.connected()) throw new BusAwayError("NATS is away");
  const ask = async (): Promise<T> => {
    let problem: unknown;
    const traced = trace && writeTrace(trace);
    for await (const answered of await connection.nc.requestMany(connection.names.subject(subject), data, {
      maxWait: timeoutMs,
      ...(traced && { headers: traced }),
    })) {
      try {
        return read(answered);
      } catch (error) {
        // A stream of another application that stores the request answers it too.
        if (!(error instanceof ProtocolError) || !isStoreAnswer(answered.data)) throw error;
        problem = error;
      }
    }
    throw new BusAwayError(`no answer on ${subject}`, { cause: problem });
  };
  try {
    return await raceAbort(ask(), signal);
  } catch (error) {
    // The sender of the answer learns of it in no other way.
    if (error instanceof ProtocolError) connection.drops.report({ subject, ...describeProblem(error) });
    const cause = explainDenial(error);
    if (cause instanceof DeniedError) throw cause;
    if (isUnanswered(cause)) throw new NoResponderError(`no program answers ${subject}`, { cause });
    const unanswered = [errors.TimeoutError, errors.ClosedConnectionError].some((kind) => cause instanceof kind);
    throw unanswered ? new BusAwayError(`no answer on ${subject}`, { cause }) : cause;
  }
}

/** True for a stream's answer to a message that it stored. */
function isStoreAnswer(data: Uint8Array): boolean {
  const text = new TextDecoder().decode(data);
  return text.startsWith("{") && text.includes('"stream":');
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

import type { JetStreamManager, StoredMsg } from "@nats-io/jetstream";
import { decodeEnvelope } from "@voxbus/protocol";
import type { z } from "zod";
import type { StreamName } from "../bus.ts";
import { isNoMessage } from "../nats/nats-errors.ts";
import type { Messages } from "../nats/messages.ts";
import type { Storage } from "./publish.ts";

const page = 256;

/** A stored message and its sequence in the stream. */
export interface StoredMessage<S extends z.ZodType> {
  readonly seq: number;
  readonly subject: string;
  readonly message: z.infer<S>;
}

/** The stream that holds `subject`. */
function streamOf(subject: string): StreamName {
  return subject.split(".")[2] === "in" ? "DEVICE_IN" : "TURNS";
}

/** Reads what the streams hold: from their leaders, so that what was acknowledged is there. */
export function createReader(jsm: JetStreamManager, storage: Storage, messages: Messages) {
  const readLast = async <S extends z.ZodType>(subject: string, schema: S, signal?: AbortSignal) => {
    const stream = streamOf(subject);
    const found = await storage.persist(
      stream,
      () => jsm.streams.getMessage(stream, { last_by_subj: subject }),
      signal,
    );
    return found === null ? undefined : { seq: found.seq, message: decodeEnvelope(schema, found.data) };
  };

  // A page comes from any replica, which may lag behind; the leader then says whether there is more.
  const readFrom = async (stream: StreamName, subject: string, seq: number): Promise<StoredMsg[]> => {
    const found: StoredMsg[] = [];
    try {
      const batch = await jsm.direct.getBatch(stream, { next_by_subj: subject, seq, batch: page });
      for await (const message of batch) found.push(message);
    } catch (error) {
      if (!isNoMessage(error)) throw error;
    }
    if (found.length > 0) return found;
    const query = { next_by_subj: subject, seq }; // nats.js types this for direct reads only
    const next = await jsm.streams.getMessage(stream, query);
    return next === null ? [] : [next];
  };

  const readAll = async <S extends z.ZodType>(
    subject: string,
    schema: S,
    limit: number,
    signal?: AbortSignal,
  ): Promise<readonly StoredMessage<S>[]> => {
    const stream = streamOf(subject);
    let kept: StoredMsg[] = [];
    for (let seq = 1; ;) {
      const from = seq;
      const found = await storage.persist(stream, () => readFrom(stream, subject, from), signal);
      const last = found.at(-1);
      if (last === undefined) break;
      kept = [...kept, ...found].slice(-limit);
      seq = last.seq + 1;
    }
    return kept.flatMap(({ seq, subject, data }) => {
      const message = messages.decode(schema, data);
      return message === undefined ? [] : [{ seq, subject, message }];
    });
  };

  return { readLast, readAll };
}

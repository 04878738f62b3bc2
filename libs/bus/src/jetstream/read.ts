import type { DirectBatchOptions, JetStreamManager, StoredMsg } from "@nats-io/jetstream";
import type { StreamName } from "@voxbus/protocol";
import type { Bus } from "../bus.ts";
import type { Messages } from "../nats/messages.ts";
import { isNoMessage } from "../nats/nats-errors.ts";
import type { Publisher } from "./publish.ts";

const pageSize = 256;
/** How far `lastStored` looks back behind messages that do not decode. */
const lastLimit = 64;

/** Creates the reader of the streams. It asks their leaders, which hold everything that was acknowledged. */
export function createReader(
  jsm: JetStreamManager,
  publisher: Publisher,
  messages: Messages,
): Pick<Bus, "lastStored" | "stored"> {
  const lastStored: Bus["lastStored"] = async (channel, signal) => {
    const { subject, schema, delivery: stream } = channel;
    const found = await publisher.retry(
      stream,
      () => jsm.streams.getMessage(stream, { last_by_subj: subject }),
      signal,
    );
    if (found === null) return { message: undefined, newest: 0 };
    const message = messages.decode(schema, found);
    if (message !== undefined) return { message, newest: found.seq };
    const { messages: readable } = await stored(channel, lastLimit, signal);
    return { message: readable.at(-1), newest: found.seq };
  };

  // Any replica may answer with a page, and may lag behind. The leader decides whether there is more.
  const readPage = async (stream: StreamName, start: DirectBatchOptions): Promise<StoredMsg[]> => {
    const found: StoredMsg[] = [];
    try {
      for await (const message of await jsm.direct.getBatch(stream, start)) found.push(message);
    } catch (error) {
      if (!isNoMessage(error)) throw error;
    }
    return found;
  };
  const readFrom = async (stream: StreamName, subject: string, seq: number): Promise<StoredMsg[]> => {
    const found = await readPage(stream, { next_by_subj: subject, seq, batch: pageSize });
    if (found.length > 0) return found;
    const query = { next_by_subj: subject, seq }; // nats.js types this for direct reads only
    const next = await jsm.streams.getMessage(stream, query);
    return next === null ? [] : [next];
  };

  /** Reads the first page since a time. If it is empty, gives the subject's last message, so that its seq is known. */
  const readSince = async (stream: StreamName, subject: string, since: number): Promise<StoredMsg[]> => {
    const found = await readPage(stream, { next_by_subj: subject, start_time: new Date(since), batch: pageSize });
    if (found.length > 0) return found;
    const last = await jsm.streams.getMessage(stream, { last_by_subj: subject });
    if (last === null) return [];
    // A replica lags behind if the leader has a message in the range.
    return last.time.getTime() < since ? [last] : readFrom(stream, subject, 1);
  };

  const stored: Bus["stored"] = async ({ subject, schema, delivery: stream }, range, signal) => {
    const { limit, since } = typeof range === "number" ? { limit: range, since: undefined } : range;
    let kept: StoredMsg[] = [];
    let seq = 1;
    if (since !== undefined) {
      kept = (await publisher.retry(stream, () => readSince(stream, subject, since), signal)).slice(-limit);
      seq = (kept.at(-1)?.seq ?? 0) + 1;
    }
    for (;;) {
      const from = seq;
      const found = await publisher.retry(stream, () => readFrom(stream, subject, from), signal);
      const last = found.at(-1);
      if (last === undefined) break;
      kept = [...kept, ...found].slice(-limit);
      seq = last.seq + 1;
    }
    return {
      messages: kept
        .filter(({ time }) => since === undefined || time.getTime() >= since)
        .flatMap((one) => messages.decode(schema, one) ?? []),
      newest: kept.at(-1)?.seq ?? 0,
    };
  };

  return { lastStored, stored };
}

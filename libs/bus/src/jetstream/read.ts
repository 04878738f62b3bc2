import type { DirectBatchOptions, JetStreamManager, StoredMsg } from "@nats-io/jetstream";
import type { Bus } from "../bus.ts";
import type { Names } from "../names.ts";
import type { Messages } from "../nats/messages.ts";
import { isNoMessage } from "../nats/nats-errors.ts";
import type { Publisher } from "./publish.ts";

const pageSize = 256;
/** How far `lastStored` looks back behind messages that do not decode. */
const lastLimit = 64;

/** Creates the reader of the streams. It asks their leaders, which hold everything that was acknowledged. */
export function createReader(
  { jsm, names }: { readonly jsm: JetStreamManager; readonly names: Names },
  publisher: Publisher,
  messages: Messages,
): Pick<Bus, "lastStored" | "stored"> {
  const lastStored: Bus["lastStored"] = async (channel, signal) => {
    const { subject, stream } = names.place(channel);
    const found = await publisher.retry(
      stream,
      () => jsm.streams.getMessage(stream, { last_by_subj: subject }),
      signal,
    );
    if (found === null) return { message: undefined, newest: 0 };
    const message = messages.decode(channel.schema, found);
    if (message !== undefined) return { message, newest: found.seq };
    const { messages: readable } = await stored(channel, lastLimit, signal);
    return { message: readable.at(-1), newest: found.seq };
  };

  const readPage = async (stream: string, start: DirectBatchOptions): Promise<readonly StoredMsg[]> => {
    const found: StoredMsg[] = [];
    try {
      for await (const message of await jsm.direct.getBatch(stream, start)) found.push(message);
    } catch (error) {
      if (!isNoMessage(error)) throw error;
    }
    return found;
  };

  // Any replica may answer with a page, and may lag behind. The leader decides whether there is more.
  const readFrom = async (stream: string, subject: string, seq: number): Promise<readonly StoredMsg[]> => {
    const found = await readPage(stream, { next_by_subj: subject, seq, batch: pageSize });
    if (found.length > 0) return found;
    const query = { next_by_subj: subject, seq }; // nats.js types this for direct reads only
    const next = await jsm.streams.getMessage(stream, query);
    return next === null ? [] : [next];
  };

  /** Reads the first page from a time on. If nothing is that new, gives the subject's last message as `older`. */
  const readSince = async (stream: string, subject: string, time: number) => {
    const page = await readPage(stream, { next_by_subj: subject, start_time: new Date(time), batch: pageSize });
    if (page.length > 0) return { page };
    const last = await jsm.streams.getMessage(stream, { last_by_subj: subject });
    if (last === null) return { page };
    if (last.time.getTime() < time) return { page, older: last };
    // It was stored just now, or the replica lags behind.
    return { page: await readFrom(stream, subject, 1) };
  };

  const stored: Bus["stored"] = async (channel, range, signal) => {
    const { subject, stream } = names.place(channel);
    const { limit, from = { seq: 1 } } = typeof range === "number" ? { limit: range } : range;
    // nats.js rounds stored times down to ms. A fraction of a ms here would leave out what was stored within the same ms.
    const since = "time" in from ? Math.floor(from.time) : 0;
    const retry = <T>(work: () => Promise<T>): Promise<T> => publisher.retry(stream, work, signal);
    const first =
      "seq" in from
        ? { page: await retry(() => readFrom(stream, subject, from.seq)) }
        : await retry(() => readSince(stream, subject, since));
    let kept: readonly StoredMsg[] = [];
    for (let { page } = first; page.length > 0;) {
      kept = [...kept, ...page].slice(-limit);
      const next = (page.at(-1)?.seq ?? 0) + 1;
      page = await retry(() => readFrom(stream, subject, next));
    }
    return {
      messages: kept
        .filter(({ time }) => time.getTime() >= since)
        .flatMap((one) => messages.decode(channel.schema, one) ?? []),
      newest: (kept.at(-1) ?? first.older)?.seq ?? 0,
    };
  };

  return { lastStored, stored };
}

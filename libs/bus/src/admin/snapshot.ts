import type { StreamConfig } from "@nats-io/jetstream";
import { createInbox, type Msg } from "@nats-io/transport-node";
import type { StreamSizes } from "../config.ts";
import { CopyError } from "../errors.ts";
import { remark } from "../jetstream/ownership.ts";
import { fillSizes } from "../jetstream/stream-definitions.ts";
import type { Connection } from "../nats/connection.ts";
import { explainDenial } from "../nats/nats-errors.ts";

/** Time that NATS may take for an answer or for the next piece, ms. */
const patienceMs = 10_000;
/** The same for the end of a restore: NATS unpacks the copy and reads it through. */
const unpackMs = 120_000;
/** nats-server's error codes. */
const streamNotFound = 10_059;
/** The status of the message that ends a copy. Servers before 2.10 send none. */
const endStatus = 204;

/** The settings and the state of a copied stream, as the API of NATS has them. */
export interface StreamCopy {
  readonly config: Partial<StreamConfig> & { readonly name: string };
  readonly state: Readonly<Record<string, unknown>> & { readonly messages: number; readonly bytes: number };
}

interface ApiAnswer {
  readonly error?: { readonly code: number; readonly err_code?: number; readonly description?: string };
}

type Api = Pick<Connection, "nc" | "inboxPrefix">;

/** Copies a stream piece by piece. The contract is `Admin.copy`. */
export async function copyStream(
  { nc, inboxPrefix }: Api,
  stream: string,
  take: (piece: Uint8Array) => Promise<void>,
  signal?: AbortSignal,
): Promise<StreamCopy | undefined> {
  const inbox = createInbox(inboxPrefix);
  const pieces = nc.subscribe(inbox);
  try {
    const answer = await callApi<StreamCopy>(nc, `STREAM.SNAPSHOT.${stream}`, { deliver_subject: inbox });
    if (answer.error?.err_code === streamNotFound) return undefined;
    if (answer.error !== undefined) throw refuse(stream, "copied", answer);
    const source = pieces[Symbol.asyncIterator]();
    for (;;) {
      const { value } = (await within(source.next(), `the next piece of ${stream}`, signal)) as { value?: Msg };
      if (value === undefined) throw new CopyError(`NATS was lost while ${stream} was copied`);
      if (value.data.byteLength === 0) {
        const status = value.headers?.code ?? 0;
        if (status !== 0 && status !== endStatus)
          throw new CopyError(`NATS ended the copy of ${stream} early: ${status} ${value.headers?.description ?? ""}`);
        return { config: answer.config, state: answer.state };
      }
      await take(value.data);
      value.respond();
    }
  } catch (error) {
    throw explainDenial(error);
  } finally {
    pieces.unsubscribe();
  }
}

/** A stream to create from a copy. */
interface Restoration {
  readonly stream: string;
  readonly copy: StreamCopy;
  readonly pieces: AsyncIterable<Uint8Array>;
  readonly sizes: StreamSizes;
}

/** Creates a stream from its copy. The contract is `Admin.restore`. */
export async function restoreStream(
  { nc }: Api,
  { stream, copy, pieces, sizes }: Restoration,
  signal?: AbortSignal,
): Promise<void> {
  try {
    const config = remark(copy.config, { num_replicas: fillSizes(sizes).VOXBUS_NATS_REPLICAS });
    const answer = await callApi<{ deliver_subject: string }>(nc, `STREAM.RESTORE.${stream}`, { ...copy, config });
    if (answer.error !== undefined) throw refuse(stream, "restored", answer);
    const { deliver_subject: subject } = answer;
    for await (const piece of pieces) {
      signal?.throwIfAborted();
      const { data } = await nc.request(subject, piece, { timeout: patienceMs });
      if (data.byteLength > 0) throw new CopyError(`${stream} was not restored: ${new TextDecoder().decode(data)}`);
    }
    const end = (await nc.request(subject, "", { timeout: unpackMs })).json<ApiAnswer>();
    if (end.error !== undefined) throw refuse(stream, "restored", end);
  } catch (error) {
    throw explainDenial(error);
  }
}

async function callApi<T extends object>(nc: Connection["nc"], call: string, body: object): Promise<T & ApiAnswer> {
  return (await nc.request(`$JS.API.${call}`, JSON.stringify(body), { timeout: patienceMs })).json<T & ApiAnswer>();
}

function refuse(stream: string, what: string, { error }: ApiAnswer): CopyError {
  return new CopyError(`${stream} was not ${what}: ${error?.description ?? "NATS gave no reason"}`);
}

/** Waits for NATS, but not forever. Rejects with the signal's reason when it aborts. */
async function within<T>(promise: Promise<T>, what: string, signal?: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let abort = (): void => undefined;
  const end = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new CopyError(`NATS did not send ${what} within ${patienceMs} ms`)), patienceMs);
    abort = () => reject(signal?.reason as Error);
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
  });
  try {
    return await Promise.race([promise, end]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

import {
  createClaimBudget,
  DroppedError,
  RefusedError,
  type Bucket,
  type Bus,
  type Claim,
  type Claims,
  type Closer,
  type Stored,
} from "@voxbus/bus";
import { channels, shadowOf, stored, type Channel } from "@voxbus/protocol";
import QuickLRU from "quick-lru";
import { z } from "zod";

/** The variable of programs that can run as a shadow. */
export const shadowConfig = {
  VOXBUS_SHADOW: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, "expected 1 to 64 characters of A-Z a-z 0-9 _ -")
    .optional()
    .describe(
      "run as a shadow of this name: hear the live traffic, answer no one, and publish results below `shadow.<name>`",
    ),
};

/** The same variable in a program that cannot run as a shadow: it would take part as the real one. */
export const noShadowConfig = {
  VOXBUS_SHADOW: z.never("expected no value: this program cannot run as a shadow").optional(),
};

/** The longest work on one message of a shadow, ms. */
const longestMs = 120_000;
/** The subjects whose newest results a shadow keeps, and how many of each. */
const keptSubjects = 10_000;
const keptMessages = 64;

/** A result of a shadow, in place of the stream. */
interface Kept {
  readonly seq: number;
  readonly at: number;
  readonly message: unknown;
}

/**
 * Makes a bus for a shadow: a program that hears the live traffic beside the real one, and has no effect on it. What it publishes or
 * stores goes to `shadow.<name>.<subject>`. It claims from core NATS, so it takes nothing from the real program; a message that finds
 * its slots full is dropped as `queue-full`. Its queue groups are its own: `shadow.<name>.<queue>`. It reads buckets and changes none.
 * It asks gateways for missed frames. Any other request fails at once. It answers none, and its tools are offered to no one. `own`
 * are the patterns of its results: of these it finds its own in place of the stored ones.
 */
export function createShadowBus(
  bus: Bus,
  { name, own }: { readonly name: string; readonly own: readonly string[] },
): Bus {
  const kept = new QuickLRU<string, readonly Kept[]>({ maxSize: keptSubjects });
  let seq = 0;
  const isOwn = (channel: Channel) => own.includes(channel.pattern);
  const keptOn = ({ subject }: Channel) => kept.get(subject) ?? [];

  return {
    ...bus,
    forget: () => Promise.resolve(),
    publish: (channel, envelope, trace) => bus.publish(shadowOf(channel, name), envelope, trace),
    async store(channel, envelope, { trace } = {}): Promise<Stored> {
      bus.publish(shadowOf(channel, name), envelope, trace);
      seq += 1;
      const result = { seq, at: bus.now(), message: envelope };
      if (isOwn(channel)) kept.set(channel.subject, [...keptOn(channel), result].slice(-keptMessages));
      return { seq, duplicate: false };
    },
    async lastStored(channel, signal) {
      if (!isOwn(channel)) return bus.lastStored(channel, signal);
      const last = keptOn(channel).at(-1);
      return { message: last?.message as never, newest: last?.seq ?? 0 };
    },
    async stored(channel, range, signal) {
      if (!isOwn(channel)) return bus.stored(channel, range, signal);
      const all = keptOn(channel);
      const { limit, from = { seq: 0 } } = typeof range === "number" ? { limit: range } : range;
      const within = all.filter(({ seq, at }) => ("seq" in from ? seq >= from.seq : at >= from.time)).slice(-limit);
      return { messages: within.map(({ message }) => message as never), newest: all.at(-1)?.seq ?? 0 };
    },
    subscribe: (channel, handler, { queue } = {}) =>
      bus.subscribe(channel, handler, queue === undefined ? {} : { queue: `${groupOf(name)}.${queue}` }),
    respond: takeNothing,
    serve: (description) => ({ ...bus.serve(description), endpoint: takeNothing }),
    // Each report goes to one program.
    brokerTraces: takeNothing,
    async request(channel, envelope, options, signal) {
      if (channel.pattern !== channels.replay.pattern) throw new RefusedError("a shadow has no effect", { code: 503 });
      return bus.request(channel, envelope, options, signal);
    },
    claim: async (options) => claimLive(bus, name, options),
    bucket: (row) => withoutWrites(bus.bucket(row)),
  };
}

/** The queue group of the processes of a shadow. NATS permits the user `shadow` no group of another name. */
function groupOf(name: string): string {
  return `shadow.${name}`;
}

function takeNothing(): Closer {
  return { close: () => undefined };
}

/** Hands out live messages as claims. Each goes to one process of the shadow, and is not delivered again. */
function claimLive(bus: Bus, name: string, { channel, durable, slots, work }: Parameters<Bus["claim"]>[0]): Claims {
  const running = new Set<AbortController>();
  const budget = typeof slots === "number" ? createClaimBudget(slots) : slots;
  const free = budget.join({ busy: () => running.size, pull: () => undefined });
  const subscription = bus.subscribe(
    // A stream may have refused a message of its raw subject.
    channel.delivery === "TURNS" ? stored(channel as Channel<z.ZodType, "TURNS">) : channel,
    async (message, { device, trace }) => {
      if (free() < 1) throw new DroppedError("queue-full");
      const own = new AbortController();
      const timer = setTimeout(() => own.abort(new Error(`the work took longer than ${longestMs} ms`)), longestMs);
      running.add(own);
      try {
        const { signal } = own;
        const claim: Claim<unknown> = {
          device,
          message,
          trace,
          signal,
          seq: 0,
          storedAt: bus.now(),
          attempt: 1,
          final: false,
          sent: trace,
        };
        await work(claim);
      } finally {
        clearTimeout(timer);
        running.delete(own);
        budget.freed();
      }
    },
    { queue: `${groupOf(name)}.${durable}` },
  );
  return {
    held: () => running.size,
    async drain() {
      subscription.close();
      for (const own of running) own.abort(new Error("the shadow stops"));
    },
  };
}

/** Makes a bucket whose changes are not stored. */
function withoutWrites<In, V>(bucket: Bucket<In, V>): Bucket<In, V> {
  return {
    ...bucket,
    put: async () => 0,
    update: async (_id, _value, revision) => revision + 1,
    async modify(id, change) {
      await change((await bucket.get(id))?.value);
    },
    remove: async () => undefined,
  };
}

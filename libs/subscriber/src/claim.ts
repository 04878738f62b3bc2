import type { Arrival, Bus, Claim } from "@voxbus/bus";
import { channels, type Channel, type Heard, type InText, type StreamName } from "@voxbus/protocol";
import type { Service, ConfigShape } from "@voxbus/service";
import type { z } from "zod";
import { TurnSource, type FromTurn } from "./arrivals.ts";
import type { FenceWatch } from "./fence-watch.ts";
import type { Fences } from "./fences.ts";
import { checkInteger, longestMs, withTimeout } from "./handler-queue.ts";
import { heardTurn, runTurn, typedTurn, type Handler, type TurnOf } from "./on.ts";
import { stopGraceMs } from "./stop-grace.ts";

/** Where a claimed message came from, and how often it was delivered. */
export interface FromClaim extends FromTurn {
  /** The number of the delivery, from 1. */
  readonly attempt: number;
  /** True at the last attempt: the message may be killing its workers. Apologize, and do nothing else. */
  readonly final: boolean;
  /** When the message was stored, by the clock of NATS, ms since the epoch. */
  readonly storedAt: number;
}

/** Limits of claims. */
export interface ClaimLimits {
  /** The most messages that this process handles at once; default 16. */
  readonly slots?: number;
  /** The longest time for one message in ms; default 60,000. Then its signal aborts, and the message is delivered again. */
  readonly timeoutMs?: number;
  /** A message that is older at its first delivery is not handled, but counted as the drop `too-old`; default 60,000 ms. */
  readonly maxAgeMs?: number;
}

/**
 * Claims messages for the program: each goes to one of its processes and is acknowledged when the handler's promise resolves.
 * A message whose process dies goes to another one after 3 s. If the handler throws, it is delivered again after 1 s, at most
 * 5 times in all. So a message that came while no process of the program ran is handled later, unless its user no longer waits
 * (`maxAgeMs`). The messages of one device may be handled at once. A program claims each kind once: a second claim throws.
 *
 * When the program stops, the messages in work have 20 s (SIGINT: 0.5 s). Those that are left go to another process.
 */
export interface ClaimTurns {
  /** Final transcripts. For speech that was not understood, `text` is empty and `reason` is set. */
  heard(handler: Handler<Heard, FromClaim>, limits?: ClaimLimits): Promise<void>;
  /** Text typed by the user, or recognized by the device itself. */
  text(handler: Handler<InText, FromClaim>, limits?: ClaimLimits): Promise<void>;
}

/** Dependencies of claims. */
interface ClaimDeps extends Pick<Service<ConfigShape>, "drain"> {
  readonly bus: Bus;
  readonly fences: FenceWatch;
  /** The program's name, under which its processes share the claims. */
  readonly name: string;
}

/** Creates `claim` for a program. */
export function createClaimTurns({ bus, fences, name, drain }: ClaimDeps): ClaimTurns {
  /** The subjects that are claimed. A second claim would share its consumer, and each message would go to one of the handlers. */
  const claimed = new Set<string>();
  async function claim<S extends z.ZodType>(
    toChannel: (device: string) => Channel<S, StreamName>,
    { turnOf, handler }: Work<z.infer<S>>,
    { slots = 16, timeoutMs = 60_000, maxAgeMs = 60_000 }: ClaimLimits = {},
  ): Promise<void> {
    checkInteger("slots", slots, [1, 4096]);
    checkInteger("timeoutMs", timeoutMs, [1, longestMs]);
    checkInteger("maxAgeMs", maxAgeMs, [0, longestMs]);
    const known = fences.of();
    const channel = toChannel("*");
    if (claimed.has(channel.subject)) throw new Error(`this program claims ${channel.pattern} already`);
    claimed.add(channel.subject);
    const work = async (given: Claim<z.infer<S>>) => {
      const { message, device, trace, signal } = given;
      const { subject } = toChannel(device);
      const isOld = given.attempt === 1 && bus.now() - given.storedAt > maxAgeMs;
      if (isOld)
        return bus.drop(subject, "too-old", { limit: `at most ${maxAgeMs} ms old`, message: message as object });
      const arrival = { subject, device, trace };
      const from = new ClaimSource(arrival, { ...turnOf(message), given }, known);
      const pass = () => from.expire(signal.reason as Error);
      signal.addEventListener("abort", pass, { once: true });
      await withTimeout(
        runTurn(() => handler(message, from), from),
        { timeoutMs, from },
      );
    };
    const claims = await bus.claim({ channel, durable: name, slots, work }).catch((error: unknown) => {
      claimed.delete(channel.subject);
      throw error;
    });
    drain(
      (mode) => claims.drain(stopGraceMs[mode]),
      () => ({ claims: claims.held() }),
    );
  }
  return {
    heard: (handler, limits) => claim(channels.heard, { turnOf: heardTurn, handler }, limits),
    text: (handler, limits) => claim(channels.inText, { turnOf: typedTurn, handler }, limits),
  };
}

/** The handler of a claimed message, and the place of its turn. */
interface Work<T> {
  readonly turnOf: TurnOf<T>;
  readonly handler: Handler<T, FromClaim>;
}

/** Where a claimed message came from. */
class ClaimSource extends TurnSource implements FromClaim {
  readonly attempt: number;
  readonly final: boolean;
  readonly storedAt: number;

  constructor(
    arrival: Arrival,
    turn: ReturnType<TurnOf<unknown>> & { readonly given: Claim<unknown> },
    fences: Fences,
  ) {
    super(arrival, turn, fences);
    this.attempt = turn.given.attempt;
    this.final = turn.given.final;
    this.storedAt = turn.given.storedAt;
  }
}

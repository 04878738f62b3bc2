import type { Msg } from "@nats-io/transport-node";
import type { Claims } from "./claim-options.ts";
import type { Held, InFlight } from "./claim-in-flight.ts";
import type { Puller } from "./claim-puller.ts";
import { readDelivery, verdictBytes, type Verdict } from "./delivery.ts";
import type { Naks } from "./naks.ts";

/** Dependencies of a drain. */
interface DrainDeps {
  readonly puller: Puller;
  readonly inFlight: InFlight;
  readonly naks: Naks;
  /** Jobs that arrived after the drain began. */
  readonly late: readonly Msg[];
  readonly settle: (held: Held, verdict: Verdict) => Promise<void>;
  /** Called first: no job is taken from now on. */
  readonly begin: () => void;
  /** Called last: the claim loop stops. */
  readonly end: () => void;
}

/** Creates the drain of a claim loop. The contract is `Claims.drain`. */
export function createDrain(deps: DrainDeps): Claims["drain"] {
  let endGrace = (): void => undefined;
  const graceOver = new Promise<void>((resolve) => (endGrace = resolve));
  let drained: Promise<void> | undefined;
  return async (graceMs) => {
    const grace = setTimeout(endGrace, graceMs);
    await (drained ??= drain(deps, graceOver));
    clearTimeout(grace);
  };
}

async function drain(deps: DrainDeps, graceOver: Promise<void>): Promise<void> {
  const { puller, inFlight, naks, late, settle, begin, end } = deps;
  begin();
  // While our own requests wait, a nakked job would come back to this worker.
  await puller.drain();
  await Promise.all(late.map(({ reply = "" }) => naks.note(readDelivery(reply).key)));
  for (const message of late) message.respond(verdictBytes.nak);
  await Promise.race([graceOver, Promise.allSettled(inFlight.all().map(({ done }) => done))]);
  const unfinished = inFlight.all().filter(({ verdict }) => verdict === undefined);
  await Promise.all(
    unfinished.map((held) => {
      const settled = settle(held, "nak");
      held.abort.abort(new Error("the worker is being stopped"));
      return settled;
    }),
  );
  end();
}

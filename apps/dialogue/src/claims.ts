import type { Bus, Claim, ClaimBudget, Claims } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import type { TurnInput } from "./turn-input.ts";

/** Answers one turn. `signal` aborts when the claim is lost. */
export type AnswerInput = (input: TurnInput, signal: AbortSignal) => Promise<void>;

/** Claims the turns of all devices: the transcripts with words, and typed text. They share the slots. */
export async function claimTurns(bus: Bus, slots: ClaimBudget, answer: AnswerInput): Promise<readonly Claims[]> {
  const heard = bus.claim({
    channel: channels.heard("*"),
    durable: "dialogue",
    slots,
    async work(claim) {
      const { session, origin, text, reason, language } = claim.message;
      // It must not take the place of a question that is being answered.
      if (reason === "nothing-heard") return;
      await answer({ ...readClaim(claim), session, origin, text, reason, language }, claim.signal);
    },
  });
  const typed = bus.claim({
    channel: channels.inText("*"),
    durable: "dialogue",
    slots,
    work: (claim) => {
      const { session, seq, body } = claim.message;
      return answer({ ...readClaim(claim), session, origin: seq, text: body }, claim.signal);
    },
  });
  return Promise.all([heard, typed]);
}

function readClaim(claim: Claim<unknown>): Pick<TurnInput, "device" | "delivery"> {
  const { device, storedAt, attempt, final, trace } = claim;
  return { device, delivery: { storedAt, attempt, final, claimedAt: performance.now(), trace } };
}

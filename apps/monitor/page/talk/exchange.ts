import { turnSteps, type TurnStep } from "../shared/turn-steps.ts";

/** One question and its answer as this browser experienced them. Times are ms of `performance.now()`. */
export interface Exchange {
  readonly id: number;
  /** The typed text, or the transcript of the speech. Absent if nothing was understood or asked. */
  readonly question?: string | undefined;
  readonly isTyped: boolean;
  /** When the typed text was sent, or a voice was last detected. */
  readonly askedAt?: number | undefined;
  /** When the gateway showed the question's transcript. */
  readonly transcribedAt?: number | undefined;
  /** When the answer's first sentence arrived. */
  readonly firstSentenceAt?: number | undefined;
  /** When the loudspeaker began to play the answer. */
  readonly firstSoundAt?: number | undefined;
  readonly endedAt?: number | undefined;
  /** The sentences of the answer. */
  readonly answer: readonly string[];
  readonly isStopped?: boolean | undefined;
  /** An error, in the gateway's words. */
  readonly alert?: string | undefined;
}

/** The steps that this browser can time, in order: it does not know when speech begins. */
export const [, ...exchangeSteps] = turnSteps;

/** Returns how long each step of an exchange took (ms), for the steps whose begin and end are known. */
export function timeSteps(exchange: Exchange): readonly { readonly step: TurnStep; readonly ms: number }[] {
  const { askedAt, transcribedAt, firstSentenceAt, firstSoundAt, endedAt } = exchange;
  const marks = [askedAt, transcribedAt, firstSentenceAt, firstSoundAt, endedAt];
  return exchangeSteps.flatMap((step, index) => {
    const [from, to] = [marks[index], marks[index + 1]];
    return from === undefined || to === undefined ? [] : [{ step, ms: Math.max(0, Math.round(to - from)) }];
  });
}

/** Returns how long the steps of an exchange took together, ms. */
export function lengthOf(exchange: Exchange): number {
  return timeSteps(exchange).reduce((sum, { ms }) => sum + ms, 0);
}

/** Returns how long the user waited (ms), from the end of the question to the first sound; undefined before that. */
export function timeToFirstSound({ askedAt, transcribedAt, firstSoundAt }: Exchange): number | undefined {
  const from = askedAt ?? transcribedAt;
  return from === undefined || firstSoundAt === undefined ? undefined : Math.max(0, Math.round(firstSoundAt - from));
}

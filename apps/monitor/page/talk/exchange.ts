/** One exchange as this browser lived it. Times are ms of `performance.now()`. */
export interface Exchange {
  readonly id: number;
  /** What was typed, or heard; absent when nothing was understood, or nothing was asked. */
  readonly asked?: string | undefined;
  readonly typed: boolean;
  /** When the typed text was sent, or the last voice was heard. */
  readonly askedAt?: number | undefined;
  /** When the gateway showed what it heard. */
  readonly heardAt?: number | undefined;
  /** When the first sentence came. */
  readonly thoughtAt?: number | undefined;
  /** When the first sound left the loudspeaker. */
  readonly soundAt?: number | undefined;
  readonly endedAt?: number | undefined;
  readonly said: readonly string[];
  readonly stopped?: boolean | undefined;
  /** What went wrong, in the gateway's words. */
  readonly alert?: string | undefined;
}

/** A part of an exchange's time, ms. */
export interface Part {
  readonly name: "heard" | "thought" | "voiced" | "said";
  readonly ms: number;
}

/** Where the time of an exchange went, as far as it is known. */
export function timeExchange({ askedAt, heardAt, thoughtAt, soundAt, endedAt }: Exchange): readonly Part[] {
  const marks = [askedAt, heardAt, thoughtAt, soundAt, endedAt];
  const names = ["heard", "thought", "voiced", "said"] as const;
  return names.flatMap((name, at) => {
    const [from, to] = [marks[at], marks[at + 1]];
    return from === undefined || to === undefined ? [] : [{ name, ms: Math.max(0, Math.round(to - from)) }];
  });
}

/** From the end of the question to the first sound, which is what a person waits for; undefined before that. */
export function waitOf({ askedAt, heardAt, soundAt }: Exchange): number | undefined {
  const from = askedAt ?? heardAt;
  return from === undefined || soundAt === undefined ? undefined : Math.max(0, Math.round(soundAt - from));
}

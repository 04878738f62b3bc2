/** The subject on which a message came, and when it arrived, ms since the epoch. */
export interface Place {
  readonly at: number;
  readonly subject: string;
}

/** The messages to show. Without a choice, all of them. */
export interface Selection {
  readonly device: string | undefined;
  readonly kinds: ReadonlySet<string> | undefined;
  readonly turn: string | undefined;
  /** Shows all numbers of programs, not only the malformed messages that they report. */
  readonly allStats: boolean;
}

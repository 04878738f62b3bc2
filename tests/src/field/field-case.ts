import type { Stage } from "./stage.ts";

/** The outcome of a case: what was seen, in a few words, and whether that was right. */
export interface Outcome {
  readonly happened: string;
  readonly held: boolean;
}

/**
 * An odd room, device, server or host, and what voxbus must make of it.
 *
 * To add cases, write a file `cases-KIND.ts` that exports a `FieldKind`, and name it in cases.ts. A case runs on a stage
 * (stage.ts): one running system, whose models and speech server do what the case says. Cases run one after the other. Each
 * begins with a server that behaves well, and connects devices of its own. A case that needs a program without memory of
 * earlier cases restarts it. Most cases compare what a device got (device.ts) with what it should get (outcomes.ts).
 */
export interface FieldCase {
  /** The odd thing, as the first cell of a row. No two cases have the same. */
  readonly odd: string;
  /** The right behavior. */
  readonly right: string;
  /** The reason why it is right: where the odd thing is found, or what a user would lose. */
  readonly why: string;
  /** True for the short form. */
  readonly quick?: boolean;
  /** Runs the case. An error counts as not held. */
  readonly run: (stage: Stage) => Promise<Outcome>;
}

/** The cases of one kind. */
export interface FieldKind {
  readonly title: string;
  readonly cases: readonly FieldCase[];
}

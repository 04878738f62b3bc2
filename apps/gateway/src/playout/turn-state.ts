import type { ReplyOutcome, TurnOutcome } from "@voxbus/protocol";

/**
 * The states of a turn in play-out. `tentative`: the device stopped listening, and perhaps nothing was heard. `awaited`:
 * something was heard or typed. `queued` and `playing` are the states of its reply, or of an announcement. The others
 * are outcomes.
 */
export type TurnState = "tentative" | "awaited" | "queued" | "playing" | Outcome;

/** How a turn ends in play-out. A reply that was played to its end may say that it is no answer. */
export type Outcome = Exclude<TurnOutcome, ReplyOutcome | "no-channel">;

/**
 * Events of a turn. `unheard`: nothing was heard. `overtaken`: a later turn is awaited, or a reply that answers it plays.
 * `started`: its reply plays. `drained`: everything was played. `passed`: the fence rose to its origin or above.
 * `late`: the deadline passed. `starved`: no frame came for too long. `refused`: a program is too busy to answer it. `ended`: the
 * session ends.
 */
export type TurnEvent =
  "unheard" | "overtaken" | "started" | "drained" | "passed" | "late" | "starved" | "refused" | "ended";

/** The one table of transitions. An event that it does not list changes nothing. */
export const turnTransitions: Readonly<Record<TurnState, Readonly<Partial<Record<TurnEvent, TurnState>>>>> = {
  tentative: {
    unheard: "nothing-heard",
    overtaken: "superseded",
    passed: "nothing-heard",
    late: "deadline",
    refused: "shed",
  },
  awaited: { overtaken: "superseded", passed: "fenced", late: "deadline", refused: "shed" },
  queued: { started: "playing", passed: "fenced", refused: "shed", ended: "closed" },
  playing: { drained: "played", passed: "fenced", starved: "dry", ended: "closed" },
  played: {},
  fenced: {},
  superseded: {},
  deadline: {},
  dry: {},
  shed: {},
  closed: {},
  "nothing-heard": {},
};

/** The words that the gateway says itself. `apology`: a turn failed. `wait`: a turn waits for its place. `busy`: a turn was shed. */
export const phraseNames = ["apology", "wait", "busy"] as const;
export type PhraseName = (typeof phraseNames)[number];

/** The consequences of an outcome. */
export interface Consequences {
  /** The fence rises to the turn's origin. */
  readonly fences: boolean;
  /** If the turn was playing, the device stops speaking at once. */
  readonly silences: boolean;
  /** Observers are told how it ended. */
  readonly reported: boolean;
  /** The words that the device is told. */
  readonly says?: PhraseName;
}

/** The consequences of every outcome. */
export const consequences: Readonly<Record<Outcome, Consequences>> = {
  played: { fences: true, silences: true, reported: true },
  fenced: { fences: false, silences: true, reported: true },
  superseded: { fences: false, silences: false, reported: false },
  deadline: { fences: true, silences: false, reported: true, says: "apology" },
  dry: { fences: true, silences: false, reported: true, says: "apology" },
  shed: { fences: true, silences: false, reported: true, says: "busy" },
  closed: { fences: false, silences: false, reported: true },
  "nothing-heard": { fences: false, silences: false, reported: false },
};

/** Gives the state after an event. It is the same state where the table lists none. */
export function nextTurnState(state: TurnState, event: TurnEvent): TurnState {
  return turnTransitions[state][event] ?? state;
}

/** Tells whether a state is an outcome. */
export function isOutcome(state: TurnState): state is Outcome {
  return state in consequences;
}

/** The states of a connection (docs/protocol.md, life of a connection). */
export const lifeStates = [
  "connecting",
  "authenticating",
  "active",
  "idle",
  "suspicious",
  "disconnecting",
  "cleanup",
  "closed",
  "rejected",
] as const;
export type LifeState = (typeof lifeStates)[number];

/** What can happen to a connection. */
export const lifeEvents = [
  /** The upgrade's identity was read and its token is looked at. */
  "identified",
  /** The upgrade was refused. */
  "refused",
  /** The hello was answered. */
  "welcomed",
  /** A text or binary frame came. */
  "frame",
  /** A pong or a ping came: a sign of life, but no conversation. */
  "sign",
  /** No frame for the idle time. */
  "quiet",
  /** Not one byte for the suspicion time. */
  "silent",
  /** We close. */
  "close",
  /** The socket is gone. */
  "gone",
  /** Presence, subscriptions and buffers are given back. */
  "cleaned",
] as const;
export type LifeEvent = (typeof lifeEvents)[number];

const ending = { close: "disconnecting", gone: "cleanup" } as const;

/** The one table of transitions; what it does not name changes nothing. */
export const transitions: Readonly<Record<LifeState, Readonly<Partial<Record<LifeEvent, LifeState>>>>> = {
  connecting: { identified: "authenticating", refused: "rejected", gone: "closed" },
  authenticating: { welcomed: "active", refused: "rejected", ...ending },
  active: { quiet: "idle", silent: "suspicious", ...ending },
  idle: { frame: "active", silent: "suspicious", ...ending },
  suspicious: { frame: "active", sign: "idle", ...ending },
  disconnecting: { gone: "cleanup" },
  cleanup: { cleaned: "closed" },
  closed: {},
  rejected: {},
};

/** The state after an event; the same state where the table names none. */
export function nextState(state: LifeState, event: LifeEvent): LifeState {
  return transitions[state][event] ?? state;
}

/** The states of a connection, from its upgrade on (docs/protocol.md, life of a connection). */
export const lifeStates = [
  "authenticating",
  "active",
  "idle",
  "suspicious",
  "disconnecting",
  "cleanup",
  "closed",
] as const;
export type LifeState = (typeof lifeStates)[number];

/** The events of a connection's life. */
export const lifeEvents = [
  /** The hello was answered. */
  "welcomed",
  /** A text or binary frame came. */
  "frame",
  /** A pong or a ping came: a sign of life, but no conversation. */
  "sign",
  /** No frame came for the idle time. */
  "quiet",
  /** Not one byte came for the suspicion time. */
  "silent",
  /** The gateway closes the connection. */
  "close",
  /** The socket is gone. */
  "gone",
  /** Presence, subscriptions and buffers were released. */
  "cleaned",
] as const;
export type LifeEvent = (typeof lifeEvents)[number];

const ending = { close: "disconnecting", gone: "cleanup" } as const;

/** The one table of transitions. An event that it does not list changes nothing. */
export const transitions: Readonly<Record<LifeState, Readonly<Partial<Record<LifeEvent, LifeState>>>>> = {
  authenticating: { welcomed: "active", ...ending },
  active: { quiet: "idle", silent: "suspicious", ...ending },
  idle: { frame: "active", silent: "suspicious", ...ending },
  suspicious: { frame: "active", sign: "idle", ...ending },
  disconnecting: { gone: "cleanup" },
  cleanup: { cleaned: "closed" },
  closed: {},
};

/** Gives the state after an event. It is the same state where the table lists none. */
export function nextState(state: LifeState, event: LifeEvent): LifeState {
  return transitions[state][event] ?? state;
}

/** States that presence and events show. */
export type ShownState = "active" | "idle" | "suspicious";

/** Tells whether presence and events show a state. */
export function isShown(state: LifeState): state is ShownState {
  return state === "active" || state === "idle" || state === "suspicious";
}

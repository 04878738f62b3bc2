/** Deviations from the behavior of stock firmware. */
export interface Quirks {
  /** Leaves the hello to `sendHello`. */
  readonly noHello?: boolean;
  /** Leaves WebSocket pings unanswered. */
  readonly noPong?: boolean;
  /** Answers a Close frame. Stock firmware leaves it unanswered and keeps streaming until TCP ends. */
  readonly answerClose?: boolean;
  /** Becomes idle after each answer. Stock firmware listens again, except in manual mode. */
  readonly noRelisten?: boolean;
  /** Sends `listen` `start` alone after a wake word, as small boards do. */
  readonly noWakeAudio?: boolean;
  /** Connects again: when the user acts, as stock firmware does, or 5 s later, as Espressif's component does. */
  readonly reconnect?: "use" | "always" | undefined;
}

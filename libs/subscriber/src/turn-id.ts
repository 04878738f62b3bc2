/** The identity of a turn. */
export interface TurnId {
  readonly device: string;
  readonly session: string;
  /** The seq of the inbound frame that caused the turn. */
  readonly origin: number;
}

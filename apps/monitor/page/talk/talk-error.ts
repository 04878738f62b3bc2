/** Reasons why talking does not work. The page has a sentence for each. */
export type TalkErrorName =
  | "insecure"
  | "no-microphone"
  | "microphone-denied"
  | "microphone-busy"
  | "no-encoder"
  | "no-decoder"
  | "no-gateway"
  | "refused"
  | "not-let-in"
  | "lost"
  | "stayed-lost"
  | "replaced"
  | "disabled";

/** An obstacle to talking that the page explains to its user. */
export class TalkError extends Error {
  override readonly name = "TalkError";
  readonly reason: TalkErrorName;
  constructor(reason: TalkErrorName, options?: ErrorOptions) {
    super(reason, options);
    this.reason = reason;
  }
}

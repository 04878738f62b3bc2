/** What can be in the way of talking; the words for each are in the dictionary. */
export type TroubleName =
  | "insecure"
  | "no-microphone"
  | "microphone-denied"
  | "microphone-busy"
  | "no-encoder"
  | "no-decoder"
  | "no-gateway"
  | "refused"
  | "lost"
  | "replaced";

/** Something is in the way; `trouble` names it. */
export class TroubleError extends Error {
  override readonly name = "TroubleError";
  readonly trouble: TroubleName;
  constructor(trouble: TroubleName, options?: ErrorOptions) {
    super(trouble, options);
    this.trouble = trouble;
  }
}

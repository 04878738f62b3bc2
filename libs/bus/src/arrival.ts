/** Where a message came from, and its trace context. */
export interface Arrival {
  readonly subject: string;
  /** The device in the subject, or an empty string. */
  readonly device: string;
  readonly trace: Readonly<Record<string, string>>;
}

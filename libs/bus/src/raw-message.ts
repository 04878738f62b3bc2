/** A message as it came, not decoded. */
export interface RawMessage {
  readonly subject: string;
  /** The device in the subject, or an empty string. */
  readonly device: string;
  readonly data: Uint8Array;
  /** The headers. Of one that comes several times, the first value. */
  readonly headers: Readonly<Record<string, string>>;
}

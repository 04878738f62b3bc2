/** A handle on something that runs until it is closed. Closing it twice does nothing. */
export interface Closer {
  close(): void;
}

import type { Sound, Speech } from "./engines/engine.ts";

type Packet = Uint8Array<ArrayBuffer>;

/**
 * Passes the packets of speech on, and those that `encode` makes of each run of its samples. Speech is read only as far as its
 * packets are read; how far its samples are read is for `encode` to say. `onEnd` is called when all of it was read.
 */
export async function* passPackets(
  speech: AsyncIterable<Speech>,
  encode: (sounds: AsyncIterable<Sound>) => AsyncIterable<Packet>,
  onEnd: () => void,
): AsyncGenerator<Packet> {
  const source = speech[Symbol.asyncIterator]();
  async function read(): Promise<Speech | undefined> {
    const { value, done } = await source.next();
    if (done !== true) return value;
    onEnd();
    return undefined;
  }
  let piece = await read();
  async function* takeRun(): AsyncGenerator<Sound> {
    for (; piece && !("packets" in piece); piece = await read()) yield piece;
  }
  try {
    while (piece) {
      if ("packets" in piece) {
        yield* piece.packets;
        piece = await read();
      } else yield* encode(takeRun());
    }
  } finally {
    // Not awaited: a reader that leaves aborts the engine after this.
    void Promise.resolve(source.return?.()).catch(() => undefined);
  }
}

/** The packets of whole sentences, by key. */
export interface StoredSentences {
  /** Returns the packets of a sentence, which then counts as used last. */
  get(key: string): readonly Uint8Array<ArrayBuffer>[] | undefined;
  /** Stores a sentence, in place of those that were used longest ago. One that is larger than the whole store is left out. */
  add(key: string, packets: readonly Uint8Array[]): void;
}

interface Stored {
  /** All packets in a row. A buffer for each would need more memory than its packet. */
  readonly sound: Uint8Array<ArrayBuffer>;
  readonly lengths: Uint16Array;
  readonly bytes: number;
}

// Its objects and its place in the map.
const overheadBytes = 400;

/** Creates an empty store of at most `maxBytes`. */
export function createStoredSentences(maxBytes: number): StoredSentences {
  const sentences = new Map<string, Stored>();
  let bytes = 0;

  function remove(key: string) {
    bytes -= sentences.get(key)?.bytes ?? 0;
    sentences.delete(key);
  }
  return {
    get(key) {
      const found = sentences.get(key);
      if (!found) return undefined;
      sentences.delete(key);
      sentences.set(key, found);
      let at = 0;
      return Array.from(found.lengths, (length) => found.sound.subarray(at, (at += length)));
    },
    add(key, packets) {
      const lengths = Uint16Array.from(packets, ({ length }) => length);
      const sound = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
      let at = 0;
      for (const packet of packets) {
        sound.set(packet, at);
        at += packet.length;
      }
      const stored = { sound, lengths, bytes: overheadBytes + 2 * key.length + lengths.byteLength + sound.length };
      remove(key);
      if (stored.bytes > maxBytes) return;
      sentences.set(key, stored);
      bytes += stored.bytes;
      for (const oldest of sentences.keys()) {
        if (bytes <= maxBytes) break;
        remove(oldest);
      }
    },
  };
}

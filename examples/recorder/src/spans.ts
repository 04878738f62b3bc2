/** A stretch of sound in a recording. */
export interface Span {
  readonly file: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Remembers where each packet of a session is, so that a transcript finds its sound. */
export interface Places {
  add(seq: number, span: Span): void;
  /** The sound of the packets `from` to `to`: a span for each file that holds some of it. */
  find(from: number, to: number): readonly Span[];
}

/** 2 minutes of packets of 60 ms. */
const maxPlaces = 2000;

/** Creates an empty memory of 2000 packets. */
export function createPlaces(): Places {
  const places: (Span & { readonly seq: number })[] = [];
  return {
    add(seq, span) {
      places.push({ seq, ...span });
      if (places.length > maxPlaces) places.shift();
    },
    find(from, to) {
      const spans: Span[] = [];
      for (const { seq, file, fromMs, toMs } of places) {
        if (seq < from || seq > to) continue;
        const last = spans.at(-1);
        if (last?.file === file) spans[spans.length - 1] = { ...last, toMs };
        else spans.push({ file, fromMs, toMs });
      }
      return spans;
    },
  };
}

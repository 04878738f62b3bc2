import type { HeldPlace } from "./held-place.ts";

/** Reads the results of a job's work, while its place holds a slot. Frees the slot when the work ends or the reader leaves. */
export async function* readStream<Result>(
  place: HeldPlace,
  work: () => AsyncIterable<Result>,
): AsyncGenerator<Result, void> {
  let ending: "done" | "failed" | "ended" = "failed";
  let isOver = false;
  let results: AsyncIterator<Result> | undefined;
  try {
    results = work()[Symbol.asyncIterator]();
    for (;;) {
      const { next } = results;
      const result = await place.until(() => next.call(results));
      if (result.done === true) {
        ending = "done";
        isOver = true;
        return;
      }
      ending = "ended";
      yield result.value;
      ending = "failed";
    }
  } catch (error) {
    isOver = true;
    throw error;
  } finally {
    // The reader left its loop: the work must hear of it, and is given time to settle.
    if (!isOver) {
      place.abort(new Error("the reader left before the end"));
      await place.until(async () => void (await results?.return?.())).catch(() => undefined);
    }
    place.leave(ending);
  }
}

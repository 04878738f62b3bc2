import { PoolClosedError, PoolFullError, PoolTimeoutError, type Pool } from "@voxbus/pools";
import { readClock } from "@voxbus/workers";
import { packetMs } from "../speech-encoder.ts";
import { TtsError, type TtsEngine } from "./engine.ts";
import { readAhead } from "./read-ahead.ts";

type Piece = ReturnType<TtsEngine["synthesize"]> extends AsyncIterable<infer Sound> ? Sound : never;

/** The sound (ms) that waits for a slow listener. Its engine has its slot until the rest is less. */
const usualMs = 10_000;

/**
 * Lets the syntheses of an engine run in a pool, which is closed with it. A synthesis holds its slot while the engine works, not
 * while its listener listens. A text that has begun is not put off for another one: a server would not stop, and the slot would be
 * held for longer. The engine waits for its listener only while `mostMs` of sound (10 s) wait there. `Infinity`: never, because
 * it makes a text in one piece.
 */
export function createPooledEngine<Engine extends TtsEngine>(engine: Engine, pool: Pool, mostMs = usualMs): Engine {
  return {
    ...engine,
    recorder: pool.recorder,
    synthesize: async function* (request, signal): AsyncGenerator<Piece> {
      const { device = "", priority = "high", isLater, late } = request.turn ?? {};
      const { due = readClock() } = request;
      const job = { priority, device, due: performance.now() + due - readClock(), continues: isLater, late };
      const open = (stop: AbortSignal) => pool.stream(job, (running) => engine.synthesize(request, running), stop);
      try {
        yield* readAhead<Piece>(open, { mostMs, msOf }, signal);
      } catch (error) {
        signal.throwIfAborted();
        throw nameProblem(error);
      }
    },
    async close() {
      pool.close();
      await engine.close();
    },
  };
}

function msOf(piece: Piece): number {
  if ("packets" in piece) return piece.packets.length * packetMs;
  return (piece.samples.length * 1000) / piece.sampleRate;
}

function nameProblem(error: unknown): unknown {
  if (error instanceof PoolFullError)
    return new TtsError("unavailable", "the engine has too much to do", { cause: error });
  if (error instanceof PoolClosedError) return new TtsError("unavailable", "the engine is closed", { cause: error });
  if (error instanceof PoolTimeoutError) return new TtsError("time-out", error.message, { cause: error });
  return error;
}

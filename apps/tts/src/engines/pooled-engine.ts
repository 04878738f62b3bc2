import { PoolClosedError, PoolFullError, PoolTimeoutError, type Pool } from "@voxbus/pools";
import { readClock } from "@voxbus/workers";
import { TtsError, type TtsEngine } from "./engine.ts";
import { readAhead } from "./read-ahead.ts";

type Piece = ReturnType<TtsEngine["synthesize"]> extends AsyncIterable<infer Sound> ? Sound : never;

/** The samples that wait for a slow listener (bytes): 20 s at 24 kHz. Their engine has its slot until the rest is less. */
const mostBytes = 960_000;

/**
 * Lets the syntheses of an engine run in a pool, which is closed with it. A synthesis holds its slot while the engine works, not
 * while its listener listens: the engine may be ahead by 20 s.
 */
export function createPooledEngine<Engine extends TtsEngine>(engine: Engine, pool: Pool): Engine {
  return {
    ...engine,
    recorder: pool.recorder,
    synthesize: async function* (request, signal): AsyncGenerator<Piece> {
      const { device = "", priority = "high", isLater, late } = request.turn ?? {};
      const { due = readClock() } = request;
      const job = { priority, device, due: performance.now() + due - readClock(), continues: isLater, late };
      const open = (stop: AbortSignal) => pool.stream(job, (running) => engine.synthesize(request, running), stop);
      try {
        yield* readAhead<Piece>(open, { mostBytes, bytesOf }, signal);
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

function bytesOf(piece: Piece): number {
  if ("samples" in piece) return piece.samples.byteLength;
  return piece.packets.reduce((sum, packet) => sum + packet.byteLength, 0);
}

function nameProblem(error: unknown): unknown {
  if (error instanceof PoolFullError)
    return new TtsError("unavailable", "the engine has too much to do", { cause: error });
  if (error instanceof PoolClosedError) return new TtsError("unavailable", "the engine is closed", { cause: error });
  if (error instanceof PoolTimeoutError) return new TtsError("time-out", error.message, { cause: error });
  return error;
}

export { readClock } from "./clock.ts";
export { watchLateness } from "./lateness.ts";
export { serveWorker, type WorkerHandler, type WorkerOptions, type WorkerTask } from "./serve-worker.ts";
export { WorkerError, type WorkerProblem } from "./worker-error.ts";
export type { WorkerContract } from "./worker-messages.ts";
export { createWorkerPool, type OpenTask, type WorkerPool, type WorkerPoolOptions } from "./worker-pool.ts";

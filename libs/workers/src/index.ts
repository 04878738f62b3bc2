export { serveWorker, type WorkerHandler, type WorkerTask } from "./serve-worker.ts";
export { createWorkerPool, type OpenTask, WorkerError, type WorkerPool, type WorkerProblem } from "./worker-pool.ts";
export type { WorkerContract } from "./worker-messages.ts";

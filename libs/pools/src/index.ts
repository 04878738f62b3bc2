export { createAdmission, type Admission } from "./admission.ts";
export type { LateNotice } from "./held-place.ts";
export { observePools } from "./observe-pools.ts";
export { createPool, usualWaiting, type Job, type Pool, type PoolOptions, type WaitingLimits } from "./pool.ts";
export { PoolClosedError, PoolFullError, PoolTimeoutError, type Refusal } from "./pool-errors.ts";
export { callsVariable, readRate, readWaiting, waitingVariable } from "./pool-variables.ts";
export { ShedError, type AdmissionRequest } from "./waiting-work.ts";
export { createRateLimit, type RateLimit } from "./rate-limit.ts";
export {
  createPoolRecorder,
  type Ending,
  type PoolRecorder,
  type RecorderOptions,
  type WorkRecord,
} from "./recorder.ts";

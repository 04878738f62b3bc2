export { createEngineSet, type EngineSet, type EngineSetOptions } from "./engine-set.ts";
export {
  checkEntryTimes,
  engineFields,
  enginesFileVariable,
  hasServer,
  type EngineEntry,
  type EnginesOfRole,
} from "./engines-file.ts";
export { extraVariable, type ExtraFields } from "./extra.ts";
export { failures, failureReasons, readFailure, type FailureReason } from "./failure.ts";
export { type EngineHealth, type EngineRequest } from "./health.ts";
export { engineKinds, noEngine, type EngineRole } from "./roles.ts";
export { textFileVariable } from "./text-file.ts";

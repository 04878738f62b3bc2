export {
  baseConfig,
  ConfigError,
  flag,
  listVariables,
  port,
  readConfig,
  type ConfigShape,
  type Variable,
} from "./config.ts";
export { knownVariables } from "./variables.ts";
export { createLog, type Log } from "./log.ts";
export { listen, PortTakenError, type OpsHandler } from "./ops.ts";
export {
  opsVariable,
  programShape,
  startService,
  type Build,
  type Program,
  type Running,
  type Service,
} from "./service.ts";
export { type StopMode } from "./lifecycle.ts";
export { createVitals, type Vitals, type VitalsReader } from "./process-metrics.ts";
export { run } from "./run.ts";

export { ConfigError, flag, listVariables, port, readConfig, type ConfigShape, type Variable } from "./config.ts";
export { hostName, isKnownHost, list } from "./hosts.ts";
export { type StopMode } from "./lifecycle.ts";
export { createLog, type Log } from "./log.ts";
export { listen, PortTakenError, type OpsHandler } from "./ops.ts";
export { createVitals } from "./process-metrics.ts";
export { run } from "./run.ts";
export { programShape, startService, type Build, type Program, type Running, type Service } from "./service.ts";
export { knownVariables } from "./variables.ts";

export { hashSecret, isSameSecret, readBearer } from "./bearer.ts";
export {
  apiUrl,
  checkAll,
  checkLimits,
  ConfigError,
  flag,
  gatewayPlace,
  gatewayUrl,
  httpUrl,
  listVariables,
  port,
  readConfig,
  readVariable,
  type ConfigShape,
  type Variable,
} from "./config.ts";
export { EngineTrial, TrialReport, tryEngine } from "./engine-trial.ts";
export { readDescriptorLimit } from "./descriptors.ts";
export { describeCause, nameCause, withoutText, type ErrorCause } from "./error-cause.ts";
export { createGuesses, type Guesses } from "./guesses.ts";
export { hostName, isKnownHost, isLoopback, isOriginOf, list } from "./hosts.ts";
export { type StopMode } from "./lifecycle.ts";
export { bindServer, countDropped, explainListenError, listen, ListenError, serverTimes } from "./listen.ts";
export { createLoadGuard, type LoadGuard, type LoadReading, type LoadReason } from "./load-guard.ts";
export { createLog, type Log } from "./log.ts";
export { type OpsHandler } from "./ops.ts";
export { createMemoryReader, createVitals } from "./process-metrics.ts";
export { createProxies, type Client, type Proxies } from "./proxies.ts";
export { run } from "./run.ts";
export { checkProgram, type ConfigReport } from "./self-report.ts";
export { programShape, startService, type Build, type Program, type Running, type Service } from "./service.ts";
export { suggest } from "./suggest.ts";
export { startAtZero } from "./start-at-zero.ts";
export { withStandIn, type StandInAnswer } from "./stand-in-server.ts";
export { knownVariables } from "./variables.ts";
export { type Warm } from "./warm-up.ts";

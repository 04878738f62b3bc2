export {
  runParent,
  startSubscriber,
  subscriber,
  variablesOf,
  type Context,
  type ParentContext,
  type Program,
  type Setup,
} from "./subscriber.ts";
export type { Handler, On, Where } from "./on.ts";
export type { ReportDetails } from "./report.ts";
export type { About, Send } from "./send.ts";
export { signalShed, signalWork, type Work, type WorkSigns } from "./signal-work.ts";
export { turnWaitConfig } from "./turn-waits.ts";
export { BusAwayError, type Arrival, type Bus, type Closer } from "@voxbus/bus";
export {
  emotions,
  ProtocolError,
  type Emotion,
  type Event,
  type Heard,
  type InAudio,
  type InControl,
  type InControlFrame,
  type InText,
  type OutText,
  type Say,
} from "@voxbus/protocol";
export {
  apiUrl,
  checkLimits,
  ConfigError,
  describeCause,
  nameCause,
  type ErrorCause,
  countDropped,
  createGuesses,
  createLoadGuard,
  createMemoryReader,
  createProxies,
  flag,
  hostName,
  httpUrl,
  isKnownHost,
  list,
  listen,
  ListenError,
  port,
  serverTimes,
  type Client,
  type ConfigShape,
  type Guesses,
  type LoadGuard,
  type Log,
  type OpsHandler,
  type Proxies,
  type Running,
  type StopMode,
  type Variable,
  withoutText,
  withStandIn,
} from "@voxbus/service";
/** zod, for the shape of a program's own configuration. */
export { z } from "zod";

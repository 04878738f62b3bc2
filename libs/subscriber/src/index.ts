export {
  checkProgram,
  runParent,
  startSubscriber,
  subscriber,
  variablesOf,
  type Context,
  type ParentContext,
  type Program,
  type Setup,
} from "./subscriber.ts";
export type { From, FromTurn } from "./arrivals.ts";
export type { ClaimLimits, ClaimTurns, FromClaim } from "./claim.ts";
export type { MicrophoneLimits, OpenMicrophone, Samples } from "./microphone.ts";
export type { Handler, On, Where } from "./on.ts";
export type { ReportDetails } from "./report.ts";
export { createFences, FencedError, type Fences } from "./fences.ts";
export type { Answer, Answerable, Manner, Reply } from "./reply.ts";
export { LostReplyError, openReplyWriter, type ReplyWriter } from "./reply-writer.ts";
export { createMcpClient, firstRequestId, type McpClient, type McpSession } from "./mcp-client.ts";
export {
  createKeepMessage,
  endExpired,
  endKept,
  isWaiting,
  KeptFullError,
  maxWaiting,
  type Keepable,
  type KeepMessage,
} from "./keep.ts";
export { createSend, type About, type Send } from "./send.ts";
export { joinSentences } from "./sentences.ts";
export type { OpenSpeaker, Speaker, SpeakerOptions } from "./speaker.ts";
export { signalShed, signalWork, type Work, type WorkSigns } from "./signal-work.ts";
export type { TurnId } from "./turn-id.ts";
export {
  ToolError,
  type JsonSchema,
  type OfferTool,
  type ToolArgs,
  type ToolCallInfo,
  type ToolHandler,
  type ToolOptions,
} from "./tool.ts";
export { callDeviceTool, listDeviceTools } from "./device-tools.ts";
export { isMap } from "./is-map.ts";
export { readSchema, SchemaError } from "./json-schema.ts";
export { loadArgumentSchemas } from "./load-argument-schemas.ts";
export { RefusedCallError, ToolCallError } from "./tool-errors.ts";
export { readResult } from "./tool-result.ts";
export { turnWaitConfig } from "./turn-waits.ts";
export type { PresenceView, Profiles } from "@voxbus/presence";
export { BusAwayError, type Arrival, type Bus, type Closer } from "@voxbus/bus";
export {
  emotions,
  groupsOf,
  ProtocolError,
  type Emotion,
  type Event,
  type Heard,
  type InAudio,
  type InControl,
  type InControlFrame,
  type InText,
  type OutText,
  type Presence,
  type Profile,
  type Say,
} from "@voxbus/protocol";
export {
  apiUrl,
  bindServer,
  checkAll,
  checkLimits,
  ConfigError,
  describeCause,
  explainListenError,
  nameCause,
  type ErrorCause,
  countDropped,
  createGuesses,
  createLoadGuard,
  createMemoryReader,
  createProxies,
  flag,
  gatewayPlace,
  gatewayUrl,
  hashSecret,
  hostName,
  httpUrl,
  isKnownHost,
  isLoopback,
  isOriginOf,
  isSameSecret,
  list,
  listen,
  ListenError,
  port,
  readBearer,
  serverTimes,
  startAtZero,
  tryEngine,
  type Client,
  type ConfigReport,
  type ConfigShape,
  type EngineTrial,
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

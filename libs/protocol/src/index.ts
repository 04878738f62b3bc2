export { namePath, ProtocolError, protocolErrors, type ProtocolErrorCode } from "./errors.ts";
export { deviceKey, deviceOfKey, isDeviceId, isName, parseDeviceId, parseName } from "./ids.ts";
export { decodeFrame, encodeFrame, type AudioFrame, type FramingVersion } from "./device/framing.ts";
export {
  DeviceAbort,
  DeviceGoodbye,
  DeviceHello,
  DeviceIot,
  DeviceListen,
  DeviceListenDetect,
  DeviceListenStart,
  DeviceListenStop,
  DeviceMcp,
  deviceMessages,
  DevicePing,
  parseDeviceMessage,
  type DeviceMessage,
  type DeviceMessageType,
} from "./device/inbound.ts";
export { parseJson, splitObject } from "./json-text.ts";
export { busVersion, Features, isLanguage } from "./envelopes/fields.ts";
export {
  Emotion,
  emotions,
  formatServerMessage,
  maxDeviceTextBytes,
  OutText,
  ServerAlert,
  ServerCustom,
  ServerGoodbye,
  ServerHello,
  ServerIot,
  ServerLlm,
  ServerMcp,
  serverMessages,
  ServerNotify,
  ServerPong,
  ServerStt,
  ServerSystem,
  ServerTts,
  type ReceivedMessage,
  type ServerMessage,
  type ServerMessageType,
} from "./device/outbound.ts";
export {
  FrameName,
  InAudio,
  Inbound,
  InControl,
  InControlFrame,
  inControls,
  InText,
  ListenMode,
} from "./envelopes/inbound.ts";
export { OutAudio, Outbound, OutControl, OutControlFrame, outControls, OutTextFrame } from "./envelopes/outbound.ts";
export { Event, Heard, Say, SessionState, TurnPlayed } from "./envelopes/turns.ts";
export {
  Alert,
  BadMessage,
  Command,
  PoolStats,
  PoolWork,
  priorities,
  ReplayAnswer,
  ReplayRequest,
  severities,
  Stats,
  type Priority,
} from "./envelopes/operations.ts";
export { createInAudioWriter, type InAudioWriter } from "./envelopes/audio-writer.ts";
export { decodeEnvelope, encodeEnvelope, type Encoded } from "./envelopes/codec.ts";
export {
  AlertRecord,
  Canary,
  DeviceRecord,
  DeviceTool,
  Dialogue,
  DialogueTurn,
  GatewayLease,
  MonitorLease,
  OwnProfile,
  Presence,
  Profile,
  Reminder,
  SeenGateways,
  StoredProfile,
  ToolCall,
} from "./records.ts";
export {
  bucketLifetimes,
  bucketNames,
  buckets,
  bucketShares,
  defaultProfile,
  type BucketName,
  type BucketRow,
} from "./buckets.ts";
export {
  channels,
  deviceOfSubject,
  envelopes,
  kinds,
  stored,
  storedPattern,
  streamNames,
  subjectsOfStream,
  type Channel,
  type Delivery,
  type Kind,
  type RequestChannel,
  type StreamName,
} from "./channels.ts";
export { ReplyOutcome } from "./envelopes/fields.ts";
export {
  closeCodes,
  dropReasons,
  outcomeOf,
  refusals,
  turnOutcomes,
  type CloseName,
  type DropReason,
  type Refusal,
  type TurnOutcome,
} from "./codes.ts";
export { defaultPorts } from "./ports.ts";

export { builtInTools } from "./built-in-tools.ts";
export { InputError, namePath, ProtocolError, protocolErrors, type ProtocolErrorCode } from "./errors.ts";
export { deviceKey, deviceOfKey, isDeviceId, isName, parseDeviceId, parseName } from "./ids.ts";
export { decodeFrame, encodeFrame, type AudioFrame, type FramingVersion } from "./device/framing.ts";
export {
  datagramHeaderBytes,
  decodeDatagramHeader,
  encodeDatagramHeader,
  maxDatagramBytes,
  type DatagramHeader,
} from "./device/datagram.ts";
export { MqttReader, mqttRoles, mqttTopics, type MqttPacket } from "./device/mqtt.ts";
export { encodeMqtt } from "./device/mqtt-writer.ts";
export { packetDuration } from "./device/packet-duration.ts";
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
export { matchesAny } from "./name-patterns.ts";
export { busVersion, Features, isLanguage, language } from "./envelopes/fields.ts";
export {
  Emotion,
  emotions,
  formatServerMessage,
  fitsDevice,
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
export {
  AudioState,
  Event,
  Heard,
  Receipt,
  receiptReportMs,
  Say,
  SessionState,
  TurnPlayed,
} from "./envelopes/turns.ts";
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
export {
  maxToolDescription,
  maxToolMs,
  ToolCall,
  ToolCancel,
  ToolChange,
  ToolMetadata,
  ToolResult,
} from "./envelopes/tools.ts";
export { createInAudioWriter, type InAudioWriter } from "./envelopes/audio-writer.ts";
export { findPublisher } from "./envelopes/publisher.ts";
export { checkEnvelope, decodeEnvelope, encodeEnvelope, type Encoded } from "./envelopes/codec.ts";
export { ApiToken, apiScopes, StoredWebhook, type ApiScope } from "./api-records.ts";
export {
  AlertRecord,
  Canary,
  DeviceRecord,
  DeviceTool,
  Dialogue,
  DialogueTurn,
  FirmwareUpdate,
  GatewayLease,
  MonitorLease,
  Presence,
  Reminder,
  SeenGateways,
  ToolCallRecord,
} from "./records.ts";
export { Activation, activationMs } from "./activation.ts";
export { KeptMessage, KeptMessages, keptStates, maxKeepMs, maxKeptText, type KeptState } from "./kept-messages.ts";
export { groupsOf, OwnProfile, Profile, profileFields, StoredProfile } from "./profile.ts";
export { RegisteredDevice, RegisteredToken } from "./registered-device.ts";
export { fillText, findUnknownVariables, textVariables } from "./text-variables.ts";
export {
  bucketLifetimes,
  bucketNames,
  buckets,
  bucketShares,
  defaultProfile,
  groupProfile,
  levelOfProfile,
  nameProfile,
  trialProfile,
  type BucketName,
  type BucketRow,
  type ProfileLevel,
  type ProfileSource,
} from "./buckets.ts";
export {
  channels,
  deviceOfSubject,
  envelopes,
  kinds,
  stored,
  hasShadow,
  shadowOf,
  shadowPattern,
  storedPattern,
  streamNames,
  subjectsOfStream,
  type Channel,
  type Delivery,
  type Kind,
  type RequestChannel,
  type StreamName,
} from "./channels.ts";
export { describeAsyncApi } from "./contract/asyncapi.ts";
export { describeContract, type JsonSchema } from "./contract/json-schema.ts";
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

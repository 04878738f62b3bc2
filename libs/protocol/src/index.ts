export { ProtocolError, protocolErrors, type ProtocolErrorCode } from "./errors.ts";
export { deviceKey, deviceOfKey, isDeviceId, isName, parseDeviceId, parseName } from "./ids.ts";
export { deviceOfSubject, kinds, subjects, type Kind } from "./channels.ts";
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
export {
  Emotion,
  emotions,
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
  type ServerMessage,
  type ServerMessageType,
} from "./device/outbound.ts";
export {
  Alert,
  busVersion,
  Command,
  envelopes,
  Event,
  FrameName,
  Heard,
  InAudio,
  Inbound,
  InControl,
  InControlFrame,
  inControls,
  InText,
  ListenMode,
  OutAudio,
  Outbound,
  OutControl,
  OutControlFrame,
  outControls,
  OutTextFrame,
  ReplayAnswer,
  ReplayRequest,
  Say,
  SessionState,
  severities,
  Stats,
  TurnPlayed,
} from "./envelopes/envelopes.ts";
export { decodeEnvelope, encodeEnvelope } from "./envelopes/codec.ts";
export { DeviceRecord, Dialogue, GatewayLease, Presence, Profile } from "./buckets.ts";
export { closeCodes, dropReasons, refusals, type CloseName, type DropReason, type Refusal } from "./codes.ts";
export { defaultPorts } from "./ports.ts";

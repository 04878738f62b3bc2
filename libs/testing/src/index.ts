export { connectTestBus } from "./bus.ts";
export { makeCertificate, type CertificateFiles } from "./certificate.ts";
export { connectRaw, leave, openTestDevice, type Received, type TestDevice, type TestDeviceOptions } from "./device.ts";
export { findFreePort } from "./free-port.ts";
export { greetAsNats, startGreeter, type Greeter } from "./greeter.ts";
export { measureGrowth } from "./growth.ts";
export { startHomeAssistant, type HomeAssistant } from "./home-assistant.ts";
export { createInbox, type Inbox } from "./inbox.ts";
export { isUserSpeaking, openTestGateway, type Answer, type TestGateway } from "./gateway.ts";
export { openMcpDevice, type McpDevice, type McpDeviceRequest } from "./mcp-device.ts";
export {
  startModelServer,
  type ChatRequest,
  type ModelScript,
  type ModelServer,
  type RequestContext,
  type SpeechRequest,
  type TranscriptionRequest,
  type ErrorAnswer,
} from "./model-server.ts";
export { callNotations, dialects, type Call, type Dialect, type Refused } from "./model-dialects.ts";
export type { ChatEvent, EarlyEnd } from "./model-stream.ts";
export {
  connectMqtt,
  openAudio,
  refuseMethod,
  type MqttDevice,
  type MqttDeviceOptions,
  type TestAudio,
} from "./mqtt-device.ts";
export { startNatsServer, type NatsServer } from "./nats-server.ts";
export { foreignVariables, startOnOddHost, type HostedProgram, type HostOutput, type OddHost } from "./odd-host.ts";
export { writeOggOpus, type OggStream } from "./ogg.ts";
export { silentLog } from "./silent-log.ts";
export { createTone, encodeSpeech, loadSpeech, silence } from "./speech.ts";
export { loose, looseRow } from "./loose.ts";
export { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";

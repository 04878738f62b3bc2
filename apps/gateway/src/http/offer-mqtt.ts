import type { IncomingMessage } from "node:http";
import { mqttTopics } from "@voxbus/protocol";
import { hostName, type Profiles } from "@voxbus/subscriber";
import type { GatewayConfig } from "../config.ts";
import type { Identity } from "./auth.ts";

/** The parts of an OTA answer that depend on how a device is to connect. */
export interface MqttOffer {
  readonly config: GatewayConfig;
  /** The gateway's ports: for devices, and for MQTT if it takes that. */
  readonly ports: { readonly own: number; readonly mqtt: number | undefined };
  readonly profiles: Pick<Profiles, "of">;
}

/**
 * Gives the settings of MQTT to a device that is to use it: until it boots again, it uses nothing else. A gateway without a
 * port for MQTT gives them where it knows the address of others.
 */
export function offerMqtt(
  { headers }: IncomingMessage,
  { device, client, token }: Identity,
  { config, ports, profiles }: MqttOffer,
): object {
  const host = hostName(headers.host ?? "") || "127.0.0.1";
  const endpoint = config.VOXBUS_MQTT_ENDPOINT ?? (ports.mqtt === undefined ? undefined : `${host}:${ports.mqtt}`);
  if (endpoint === undefined || profiles.of(device).transport !== "mqtt") return {};
  return {
    mqtt: {
      endpoint,
      client_id: device,
      username: client,
      password: token,
      publish_topic: mqttTopics.up,
      subscribe_topic: mqttTopics.down,
      keepalive: config.VOXBUS_MQTT_KEEPALIVE_S,
    },
  };
}

import { channels, type Outbound } from "@voxbus/protocol";
import type { Running } from "@voxbus/subscriber";
import { connectMqtt, type MqttDevice, type MqttDeviceOptions } from "@voxbus/testing";
import { expect } from "vitest";
import { openTestGateways, readStats, type TestGateways } from "../test-gateways.ts";

/** Gateways that take MQTT, and devices that connect to the first of them. */
export interface MqttStage extends TestGateways {
  readonly one: Running;
  /** Connects a device. It leaves with `leaveAll`. */
  openMqtt(id: string, options?: Partial<MqttDeviceOptions>, to?: Running): Promise<MqttDevice>;
  /** Connects a device, and waits until frames of the bus reach it. It leaves with `leaveAll`. */
  online(id: string, options?: Partial<MqttDeviceOptions>): Promise<MqttDevice>;
  /** The number of frames that the first gateway dropped for a reason. */
  drops(reason: string): Promise<number>;
  publish(id: string, frames: readonly Outbound[]): void;
}

/** The variables with which a gateway takes MQTT, on free ports. */
export const mqttVariables = { VOXBUS_MQTT_PORT: "0", VOXBUS_UDP_PORT: "0" };
/** An Opus packet of 60 ms. */
export const packet = Buffer.from([0x58, 1, 2, 3]);
/** The port of a gateway for MQTT. */
export function portOf(gateway: Running): number {
  return Number(new URL(gateway.addresses["mqtt"] ?? "").port);
}

/** Starts a gateway that takes MQTT, with these variables. */
export async function openMqttStage(env: Readonly<Record<string, string>> = {}): Promise<MqttStage> {
  const gateways = await openTestGateways();
  const one = await gateways.start({ VOXBUS_GATEWAY_ID: "one", ...mqttVariables, ...env });
  const devices: MqttDevice[] = [];
  const openMqtt: MqttStage["openMqtt"] = async (id, options = {}, to = one) => {
    const device = await connectMqtt({ port: portOf(to), id, ...options });
    devices.push(device);
    return device;
  };
  const leaveAll = async () => {
    const leaving = devices.splice(0);
    for (const device of leaving) device.vanish();
    await Promise.all([gateways.leaveAll(), ...leaving.map(({ closed }) => closed)]);
  };
  return {
    ...gateways,
    one,
    openMqtt,
    async online(id, options) {
      const device = await openMqtt(id, options);
      await expect.poll(() => gateways.view.online(id)).toBeDefined();
      return device;
    },
    drops: async (reason) => (await readStats(one)).drops[reason] ?? 0,
    publish(id, frames) {
      for (const frame of frames) gateways.bus.publish(channels.out(id), frame);
    },
    leaveAll,
    async stop() {
      await leaveAll();
      await gateways.stop();
    },
  };
}

/** The frames of an announcement with a text and a packet of sound for each sentence. */
export function announce(reply: string, ...sentences: readonly string[]): Outbound[] {
  return sentences.flatMap((text, sentence) => [
    { reply, attempt: 1, sentence, n: 0, kind: "text" as const, body: { type: "tts" as const, state: "sentence_start" as const, text } },
    {
      reply, attempt: 1, sentence, n: 1, kind: "audio" as const, duration: 60, body: packet,
      end: sentence === sentences.length - 1 ? ("reply" as const) : ("sentence" as const),
    },
  ]); // prettier-ignore
}

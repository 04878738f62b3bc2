import { setTimeout as sleep } from "node:timers/promises";
import { openWebSocketDevice, type Greeting, type LoadDevice } from "./device.ts";
import { openMqttDevice } from "./mqtt-device.ts";

const patienceMs = 60_000;
const againMs = 500;

/**
 * Opens a device over the transport that the URL names, and waits for the end of the greeting. `from`: its own address. Rejects
 * if the server refuses it.
 */
export function openLoadDevice(url: URL, id: string, greeting: Greeting, from?: string): Promise<LoadDevice> {
  return url.protocol === "mqtt:"
    ? openMqttDevice(url, id, greeting, from)
    : openWebSocketDevice(url, id, greeting, from);
}

/** Opens a device as `openLoadDevice` does, and tries again for a minute while it is refused. */
export async function openPatiently(url: URL, id: string, greeting: Greeting, from?: string): Promise<LoadDevice> {
  for (const deadline = performance.now() + patienceMs; ; await sleep(againMs * (0.5 + Math.random()))) {
    try {
      return await openLoadDevice(url, id, greeting, from);
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

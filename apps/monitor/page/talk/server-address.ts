import type { GatewayDoor } from "../../src/live/live.ts";
import { TroubleError } from "./trouble.ts";

const askMs = 4000;

/** Where this browser connects as a device, and with which token. */
export interface Door {
  readonly url: string;
  readonly token: string;
}

/** A gateway that says it is on loopback, or everywhere, is where this page came from. */
function reach(address: string): URL {
  const url = new URL(address);
  const name = url.hostname.replaceAll(/^\[|\]$/g, "");
  if (/^(?:127\.|0\.0\.0\.0$|::1?$|localhost$)/.test(name)) url.hostname = location.hostname;
  return url;
}

/**
 * Asks the gateways for this device's configuration, as devices do at boot (docs/protocol.md, OTA), in random order until
 * one answers. Throws TroubleError `no-gateway` when none does.
 */
export async function findDoor(doors: readonly GatewayDoor[], device: string, signal?: AbortSignal): Promise<Door> {
  const shuffled = doors
    .map((door) => ({ door, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ door }) => door);
  let failure: unknown;
  for (const { address, url } of shuffled) {
    const base = url === undefined ? reach(address) : new URL(url.replace(/^ws/, "http"));
    const configuration = new URL("/xiaozhi/ota/", base);
    configuration.searchParams.set("device-id", device);
    configuration.searchParams.set("client-id", device);
    try {
      const limit = AbortSignal.timeout(askMs);
      const response = await fetch(configuration, { signal: signal ? AbortSignal.any([signal, limit]) : limit });
      if (!response.ok) throw new TroubleError("refused");
      const { websocket } = (await response.json()) as { readonly websocket: { url: string; token: string } };
      return { url: websocket.url, token: websocket.token };
    } catch (error) {
      signal?.throwIfAborted();
      failure = error;
      // A public address need not have the configuration behind it.
      if (url !== undefined) return { url, token: "" };
    }
  }
  throw failure instanceof TroubleError ? failure : new TroubleError("no-gateway", { cause: failure });
}

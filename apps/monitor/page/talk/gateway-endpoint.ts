import type { GatewayAddress } from "../../src/live/live.ts";
import { TalkError } from "./talk-error.ts";

const requestMs = 4000;

/** The WebSocket to which this browser connects as a device, and the token for it. */
export interface GatewayEndpoint {
  readonly url: string;
  /** Empty where no token is needed. */
  readonly token: string;
}

// A gateway that names a loopback or wildcard address runs on the host that served this page.
function reachableUrl(address: string): URL {
  const url = new URL(address);
  const name = url.hostname.replaceAll(/^\[|\]$/g, "");
  if (/^(?:127\.|0\.0\.0\.0$|::1?$|localhost$)/.test(name)) url.hostname = location.hostname;
  return url;
}

async function requestConfiguration(base: URL, device: string): Promise<GatewayEndpoint> {
  const url = new URL("/xiaozhi/ota/", base);
  url.searchParams.set("device-id", device);
  url.searchParams.set("client-id", device);
  const response = await fetch(url, { signal: AbortSignal.timeout(requestMs) });
  if (!response.ok) throw new TalkError("refused");
  const { websocket } = (await response.json()) as { readonly websocket: GatewayEndpoint };
  return { url: websocket.url, token: websocket.token };
}

/**
 * Requests this device's configuration from the gateways in random order until one answers, as devices do at boot
 * (docs/protocol.md, OTA). Throws TalkError `no-gateway` if none answers, or `refused` if the last one refuses.
 */
export async function findEndpoint(gateways: readonly GatewayAddress[], device: string): Promise<GatewayEndpoint> {
  const shuffled = gateways
    .map((gateway) => ({ gateway, rank: Math.random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ gateway }) => gateway);
  let failure: unknown;
  for (const { address, url } of shuffled) {
    try {
      const base = url === undefined ? reachableUrl(address) : new URL(url.replace(/^ws/, "http"));
      return await requestConfiguration(base, device);
    } catch (error) {
      failure = error;
      // A public address may serve the WebSocket alone.
      if (url !== undefined) return { url, token: "" };
    }
  }
  throw failure instanceof TalkError ? failure : new TalkError("no-gateway", { cause: failure });
}

import type { GatewayAddress } from "../../src/live/live.ts";
import { TalkError } from "./talk-error.ts";

const requestMs = 4000;
/** Pause before this browser asks again whether it was let in, ms. */
const activationPauseMs = 3000;
/** Questions before it asks for its configuration again, as firmware does: the code may be another one by then. */
const activationTries = 10;

/** How this browser names itself to gateways. */
export interface DeviceIdentity {
  readonly device: string;
  /** A secret that proves later that this is the same device. */
  readonly client: string;
}

/** The WebSocket to which this browser connects as a device, and the token for it. */
export interface GatewayEndpoint {
  readonly url: string;
  /** Empty where no token is needed. */
  readonly token: string;
}

/** How a device waits until an operator lets it in. */
export interface ActivationWait {
  /** Called with the code that an operator has to type. */
  onCode(code: string): void;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/** The part of a device's configuration that this browser reads (docs/protocol.md, OTA). */
interface Configuration {
  readonly websocket: GatewayEndpoint;
  readonly activation?: { readonly code?: string };
}

// A gateway that names a loopback or wildcard address runs on the host that served this page.
function reachableUrl(address: string): URL {
  const url = new URL(address);
  const name = url.hostname.replaceAll(/^\[|\]$/g, "");
  if (/^(?:127\.|0\.0\.0\.0$|::1?$|localhost$)/.test(name)) url.hostname = location.hostname;
  return url;
}

/** Requests the configuration, and waits until an operator lets this device in if it must be activated. */
async function requestEndpoint(base: URL, identity: DeviceIdentity, wait: ActivationWait): Promise<GatewayEndpoint> {
  // Before the path of devices there may be a proxy's.
  const ota = new URL(`${base.pathname.replace(/(\/xiaozhi\/v1)?\/?$/, "")}/xiaozhi/ota/`, base);
  // A proxy may log queries, but not headers.
  const headers = { "device-id": identity.device, "client-id": identity.client };
  const request = async (url: URL, method: "GET" | "POST") => {
    const signal = AbortSignal.any([wait.signal, AbortSignal.timeout(requestMs)]);
    const response = await fetch(url, { method, headers, signal });
    if (!response.ok) throw new TalkError("refused");
    return response;
  };
  const configure = async () => (await (await request(ota, "GET")).json()) as Configuration;
  /** Gives undefined for what fails: once the code is shown, it is asked again. */
  const unlessFailed = <T>(asked: Promise<T>) =>
    asked.catch((error: unknown) => {
      wait.signal.throwIfAborted();
      console.info("activation not asked", error);
      return undefined;
    });
  let { websocket, activation } = await configure();
  while (activation?.code !== undefined) {
    wait.onCode(activation.code);
    for (let tries = 0, status = 202; status === 202 && tries < activationTries; tries += 1) {
      await pause(activationPauseMs, wait.signal);
      status = (await unlessFailed(request(new URL("activate", ota), "POST")))?.status ?? 202;
    }
    ({ websocket, activation } = (await unlessFailed(configure())) ?? { websocket, activation });
  }
  return { url: websocket.url, token: websocket.token };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", end);
      resolve();
    }, ms);
    signal.addEventListener("abort", end, { once: true });
  });
}

/**
 * Requests this device's configuration from the gateways in random order until one answers, as devices do at boot
 * (docs/protocol.md, OTA), and waits to be let in if it must. Throws TalkError `no-gateway` if none answers, `refused` if the last
 * one refuses, or the reason of the wait's signal.
 */
export async function findEndpoint(
  gateways: readonly GatewayAddress[],
  identity: DeviceIdentity,
  wait: ActivationWait,
): Promise<GatewayEndpoint> {
  const shuffled = gateways
    .map((gateway) => ({ gateway, rank: Math.random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ gateway }) => gateway);
  let failure: unknown;
  for (const { address, url } of shuffled) {
    try {
      const base = url === undefined ? reachableUrl(address) : new URL(url.replace(/^ws/, "http"));
      return await requestEndpoint(base, identity, wait);
    } catch (error) {
      wait.signal.throwIfAborted();
      failure = error;
      // A public address may serve the WebSocket alone.
      if (url !== undefined) return { url, token: "" };
    }
  }
  throw failure instanceof TalkError ? failure : new TalkError("no-gateway", { cause: failure });
}

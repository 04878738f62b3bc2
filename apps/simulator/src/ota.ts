import type { FramingVersion } from "@voxbus/protocol";
import { ConnectionError, type Identity } from "./connection.ts";

/** The configuration that a device receives when it boots. */
export interface BootSettings {
  readonly url: string;
  readonly token: string | undefined;
  readonly protocol: FramingVersion;
  /** The message to show and speak if the device must first be activated. */
  readonly activation: string | undefined;
}

const answerMs = 10_000;

/** Asks an OTA address as a booting device does (docs/protocol.md, OTA). Throws `ConnectionError` without a usable answer. */
export async function fetchBootSettings(ota: string, identity: Identity, signal?: AbortSignal): Promise<BootSettings> {
  const timeout = AbortSignal.timeout(answerMs);
  let response: Response;
  let answer: Record<string, Record<string, unknown> | undefined>;
  try {
    response = await fetch(ota, {
      method: "POST",
      headers: {
        "Activation-Version": "1",
        "Device-Id": identity.id,
        "Client-Id": identity.clientId,
        "User-Agent": "voxbus-simulator/2.4.2",
        "Accept-Language": "en-US",
        "Content-Type": "application/json",
      },
      body: JSON.stringify({
        version: 2,
        language: "en-US",
        mac_address: identity.id,
        uuid: identity.clientId,
        chip_model_name: "simulated",
        application: { name: "xiaozhi", version: "2.4.2" },
        board: { type: "voxbus-simulator", name: "voxbus-simulator" },
      }),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    if (!response.ok) {
      throw new ConnectionError("refused", `${ota} answered ${response.status}`, { status: response.status });
    }
    answer = (await response.json()) as typeof answer;
  } catch (cause) {
    if (cause instanceof ConnectionError) throw cause;
    throw new ConnectionError("unreachable", `the request to ${ota} failed: ${describeCause(cause)}`, { cause });
  }
  const { websocket, activation } = answer;
  if (typeof websocket?.["url"] !== "string") {
    throw new ConnectionError("refused", `${ota} returned no WebSocket address`);
  }
  const { url, token, version } = websocket;
  return {
    url,
    token: typeof token === "string" && token !== "" ? token : undefined,
    protocol: version === 2 || version === 3 ? version : 1,
    activation: typeof activation?.["message"] === "string" ? activation["message"] : undefined,
  };
}

function describeCause(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error && cause.cause.message !== "" ? cause.cause.message : cause.message;
}

import { createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { FramingVersion } from "@voxbus/protocol";
import { ConnectionError, type Identity } from "./connection.ts";

/** The serial number of a board and the key that is burned into it, in hexadecimal digits. */
export interface BoardKey {
  readonly serial: string;
  readonly key: string;
}

/** The request to activate a device first. */
export interface ActivationRequest {
  /** The message to show and speak. */
  readonly message: string;
  readonly challenge: string | undefined;
}

/** The configuration that a device receives when it boots. */
export interface BootSettings {
  /** The WebSocket URL, or `mqtt://` or `mqtts://` with host and port. */
  readonly url: string;
  readonly token: string | undefined;
  readonly protocol: FramingVersion;
  readonly activation: ActivationRequest | undefined;
  /** The firmware version to install, or undefined. */
  readonly update: string | undefined;
}

/** A device that boots: it asks an OTA address. */
export interface Booting {
  readonly ota: string;
  readonly identity: Identity;
  readonly board?: BoardKey | undefined;
}

const answerMs = 10_000;
/** How stock firmware polls for its activation: ten times, then it asks for its configuration again. */
const polls = { times: 10, everyMs: 3000, afterErrorMs: 10_000 } as const;

/** Asks an OTA address as a booting device does (docs/protocol.md, OTA). Throws `ConnectionError` without a usable answer. */
export async function fetchBootSettings(booting: Booting, signal?: AbortSignal): Promise<BootSettings> {
  const { ota, identity } = booting;
  const response = await post(
    booting,
    "",
    {
      version: 2,
      language: "en-US",
      mac_address: identity.id,
      uuid: identity.clientId,
      chip_model_name: "simulated",
      application: { name: "xiaozhi", version: "2.4.2" },
      board: { type: "voxbus-simulator", name: "voxbus-simulator" },
    },
    signal,
  );
  if (!response.ok) {
    throw new ConnectionError("refused", `${ota} answered ${response.status}`, { status: response.status });
  }
  const answer = (await response.json()) as Record<string, Record<string, unknown> | undefined>;
  const { websocket, mqtt, activation, firmware } = answer;
  return {
    ...readServer(ota, mqtt, websocket),
    activation: activation && {
      message: textOf(activation["message"]) ?? "",
      challenge: textOf(activation["challenge"]),
    },
    update: textOf(firmware?.["url"]) && textOf(firmware?.["version"]),
  };
}

/**
 * Asks until the device is activated, as stock firmware does, and gives its configuration then. Calls `told` with each new
 * request. Throws `ConnectionError`, or the reason of `signal`.
 */
export async function awaitActivation(
  booting: Booting,
  told: (activation: ActivationRequest) => void,
  signal?: AbortSignal,
): Promise<BootSettings> {
  let last: string | undefined;
  for (;;) {
    const settings = await fetchBootSettings(booting, signal);
    const { activation } = settings;
    if (activation === undefined) return settings;
    if (activation.message !== last) told(activation);
    last = activation.message;
    for (let times = 0; times < polls.times; times += 1) {
      const { status } = await post(booting, "activate", prove(booting.board, activation), signal);
      if (status === 200) break;
      await sleep(status === 202 ? polls.everyMs : polls.afterErrorMs, undefined, { signal });
    }
  }
}

/** Makes a board's answer to its challenge; empty for a board without a key. */
function prove(board: BoardKey | undefined, { challenge }: ActivationRequest): object {
  if (board === undefined || challenge === undefined) return {};
  const hmac = createHmac("sha256", Buffer.from(board.key, "hex")).update(challenge).digest("hex");
  return { algorithm: "hmac-sha256", serial_number: board.serial, challenge, hmac };
}

async function post(
  { ota, identity, board }: Booting,
  path: string,
  body: object,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const timeout = AbortSignal.timeout(answerMs);
  try {
    return await fetch(path === "" ? ota : `${ota.replace(/\/?$/, "/")}${path}`, {
      method: "POST",
      headers: {
        "Activation-Version": board === undefined ? "1" : "2",
        ...(board && { "Serial-Number": board.serial }),
        "Device-Id": identity.id,
        "Client-Id": identity.clientId,
        "User-Agent": "voxbus-simulator/2.4.2",
        "Accept-Language": "en-US",
        "Content-Type": "application/json",
      },
      body: JSON.stringify(body),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
  } catch (cause) {
    throw new ConnectionError("unreachable", `the request to ${ota} failed: ${describeCause(cause)}`, { cause });
  }
}

/** Reads where to connect. Stock firmware prefers MQTT if both are there, and takes TLS for the port 8883 alone. */
function readServer(
  ota: string,
  mqtt: Record<string, unknown> | undefined,
  websocket: Record<string, unknown> | undefined,
): Pick<BootSettings, "url" | "token" | "protocol"> {
  const endpoint = textOf(mqtt?.["endpoint"]);
  if (endpoint !== undefined) {
    const url = `${endpoint.endsWith(":8883") ? "mqtts" : "mqtt"}://${endpoint}`;
    return { url, token: textOf(mqtt?.["password"]), protocol: 1 };
  }
  if (typeof websocket?.["url"] !== "string") {
    throw new ConnectionError("refused", `${ota} returned no WebSocket address`);
  }
  const { url, token, version } = websocket;
  return { url, token: textOf(token), protocol: version === 2 || version === 3 ? version : 1 };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function describeCause(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error && cause.cause.message !== "" ? cause.cause.message : cause.message;
}

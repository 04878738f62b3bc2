import type { IncomingMessage, ServerResponse } from "node:http";
import { groupsOf, hostName, type Profiles, type Proxies } from "@voxbus/subscriber";
import type { Told } from "../activation/activation.ts";
import type { Admission } from "../activation/admission.ts";
import type { Firmware } from "../firmware/firmware.ts";
import { isVersion } from "../firmware/version.ts";
import { fixedLimits } from "../limits.ts";
import type { DeviceRecords } from "../session/device-records.ts";
import type { DeviceReport } from "../session/record-queue.ts";
import type { Identity } from "./auth.ts";
import { readDeviceReport } from "./device-report.ts";
import { urlBeside } from "./device-url.ts";
import { checkBrowserHost, checkOrigin, hasIdentity, readIdentity, requestUrl } from "./identity.ts";
import { offerMqtt, type MqttOffer } from "./offer-mqtt.ts";
import { RefusedError } from "./refusals.ts";
import { minutesEast } from "./time-zone.ts";

const { bodyBytes } = fixedLimits;

/** Gives devices their configuration at boot (docs/protocol.md, OTA). */
export interface Ota {
  /** Tells whether a path belongs to the OTA interface. */
  owns(path: string): boolean;
  /** Answers a request. Throws RefusedError or ProtocolError. */
  answer(request: IncomingMessage, response: ServerResponse, path: string): Promise<void>;
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > bodyBytes) throw new RefusedError("body-too-big", `the body is over ${bodyBytes} bytes`);
    chunks.push(chunk);
  }
  if (size === 0) return {};
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new RefusedError("bad-body", "the body is not JSON");
  }
}

/** Offers a device the version that it runs, which means that there is no update. */
function keepFirmware({ firmware }: DeviceReport): object {
  return { version: isVersion(firmware) ? firmware : "0.0.0", url: "" };
}

/** Makes the part of the configuration that has a device show its code, and ask whether it was activated. */
function describeActivation({ code, challenge }: Told): object {
  const shown = code === undefined ? {} : { code, message: `voxbus\n${code}` };
  return { ...shown, challenge, timeout_ms: 30_000 };
}

/** Dependencies of the OTA interface. */
interface OtaDeps extends MqttOffer {
  readonly admission: Admission;
  readonly proxies: Proxies;
  readonly records: Pick<DeviceRecords, "reported">;
  readonly profiles: Pick<Profiles, "of" | "stored">;
  readonly firmware: Pick<Firmware, "offer">;
  /** Gives the URL of a gateway with room, or undefined for this one. */
  readonly choose: () => string | undefined;
}

/** Creates the OTA interface. */
export function createOta(options: OtaDeps): Ota {
  const { config, admission, ports, profiles, records, firmware, choose } = options;
  const addressFor = ({ headers }: IncomingMessage) => {
    const host = hostName(headers.host ?? "") || "127.0.0.1";
    const scheme = config.VOXBUS_GATEWAY_TLS_CERT === undefined ? "ws" : "wss";
    return (
      config.VOXBUS_PUBLIC_URL ?? `${scheme}://${host.includes(":") ? `[${host}]` : host}:${ports.own}/xiaozhi/v1/`
    );
  };
  const introduce = (request: IncomingMessage) =>
    "This is the OTA address of a voxbus gateway. Devices ask here for their configuration when they start: enter this " +
    `address in the device's Wi-Fi portal.\nDevices are then sent to ${addressFor(request)}\n` +
    "To talk in this browser, open the monitor's page instead.\n";
  const firmwareFor = (
    { device, client }: Identity,
    request: IncomingMessage,
    { board = "", firmware: version }: DeviceReport,
  ) => {
    const offer = firmware.offer({ device, client, board, groups: groupsOf(profiles.stored(device)), version });
    if (offer === undefined) return keepFirmware({ firmware: version });
    const url = urlBeside(addressFor(request), offer.path);
    return { version: offer.version, url, ...(offer.force && { force: 1 }) };
  };
  const configure = async (request: IncomingMessage, body: unknown) => {
    const identity = readIdentity(request, requestUrl(request));
    const { device } = identity;
    const report = readDeviceReport(request, body);
    const { token, told } = await admission.admit({ identity, request, report });
    if (token !== undefined) records.reported(device, report);
    const now = new Date();
    return {
      server_time: { timestamp: now.getTime(), timezone_offset: minutesEast(now, profiles.stored(device).timeZone) },
      firmware: token === undefined ? keepFirmware(report) : firmwareFor(identity, request, report),
      websocket: { url: choose() ?? addressFor(request), token: token ?? "", version: 1 },
      ...offerMqtt(request, { ...identity, token: token ?? "" }, options),
      ...(told && { activation: describeActivation(told) }),
    };
  };
  return {
    owns: (path) => path.startsWith("/xiaozhi/ota"),
    async answer(request, response, path) {
      checkOrigin(request, options);
      checkBrowserHost(request, options);
      const { origin } = request.headers;
      if (origin !== undefined) {
        response.setHeader("access-control-allow-origin", origin);
        response.setHeader("vary", "origin");
      }
      if (request.method === "OPTIONS") {
        response.setHeader("access-control-allow-methods", "GET, POST, OPTIONS");
        response.setHeader(
          "access-control-allow-headers",
          "activation-version, authorization, client-id, content-type, device-id, serial-number",
        );
        response.writeHead(204).end();
        return;
      }
      const isActivation = path.replace(/\/$/, "").endsWith("/activate");
      if (isActivation ? request.method !== "POST" : request.method !== "POST" && request.method !== "GET") {
        throw new RefusedError("method-not-allowed", `${request.method} is not supported here`);
      }
      if (request.method === "GET" && !hasIdentity(request, requestUrl(request))) {
        response.setHeader("x-content-type-options", "nosniff");
        response.setHeader("content-type", "text/plain; charset=utf-8").end(introduce(request));
        return;
      }
      const body = await readBody(request);
      let answer: object;
      if (isActivation) {
        const isActivated = await admission.isActivated(readIdentity(request, requestUrl(request)), request, body);
        response.statusCode = isActivated ? 200 : 202;
        answer = { message: isActivated ? "activated" : "waiting for an operator" };
      } else answer = await configure(request, body);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(answer));
    },
  };
}

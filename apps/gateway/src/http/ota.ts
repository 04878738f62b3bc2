import type { IncomingMessage, ServerResponse } from "node:http";
import { hostName, type Log } from "@voxbus/subscriber";
import type { GatewayConfig } from "../config.ts";
import { fixedLimits } from "../limits.ts";
import type { Auth } from "./auth.ts";
import { checkBrowserHost, checkOrigin, hasIdentity, readIdentity, requestUrl } from "./identity.ts";
import { RefusedError } from "./refusals.ts";

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

/**
 * Gives the version that a device says it runs. Offering the same version means that there is no update. It must consist
 * of digits and dots, or devices crash.
 */
function runningVersion(body: unknown): string {
  const application = typeof body === "object" && body !== null && "application" in body ? body.application : undefined;
  const version =
    typeof application === "object" && application !== null && "version" in application
      ? application.version
      : undefined;
  return typeof version === "string" && /^\d{1,6}(\.\d{1,6}){0,3}$/.test(version) ? version : "0.0.0";
}

/** Creates the OTA interface. `port` is the gateway's own, because devices send Host without one. */
export function createOta(options: {
  readonly config: GatewayConfig;
  readonly auth: Auth;
  readonly port: number;
  readonly log: Log;
}): Ota {
  const { config, auth, port, log } = options;
  const addressFor = ({ headers }: IncomingMessage) => {
    const host = hostName(headers.host ?? "") || "127.0.0.1";
    return config.VOXBUS_PUBLIC_URL ?? `ws://${host.includes(":") ? `[${host}]` : host}:${port}/xiaozhi/v1/`;
  };
  const introduce = (request: IncomingMessage) =>
    "This is the OTA address of a voxbus gateway. Devices ask here for their configuration when they start: enter this " +
    `address in the device's Wi-Fi portal.\nDevices are then sent to ${addressFor(request)}\n` +
    "To talk in this browser, open the monitor's page instead.\n";
  const configure = (request: IncomingMessage, body: unknown) => {
    const { device, client } = readIdentity(request, requestUrl(request));
    const token = auth.issue(device, client);
    if (token === undefined)
      log.warn({ device }, "token refused: device not in VOXBUS_OTA_ALLOW or VOXBUS_AUTH_TOKENS");
    const now = new Date();
    return {
      server_time: { timestamp: now.getTime(), timezone_offset: -now.getTimezoneOffset() },
      firmware: { version: runningVersion(body), url: "" },
      websocket: {
        url: addressFor(request),
        token: token ?? "",
        version: 1,
      },
    };
  };
  return {
    owns: (path) => path.startsWith("/xiaozhi/ota"),
    async answer(request, response, path) {
      checkOrigin(request, config);
      checkBrowserHost(request, config);
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
      const activate = path.replace(/\/$/, "").endsWith("/activate");
      if (activate ? request.method !== "POST" : request.method !== "POST" && request.method !== "GET") {
        throw new RefusedError("method-not-allowed", `${request.method} is not supported here`);
      }
      if (request.method === "GET" && !hasIdentity(request, requestUrl(request))) {
        response.setHeader("x-content-type-options", "nosniff");
        response.setHeader("content-type", "text/plain; charset=utf-8").end(introduce(request));
        return;
      }
      const body = await readBody(request);
      let answer: object;
      if (activate) {
        const { device, client } = readIdentity(request, requestUrl(request));
        const allowed = auth.issue(device, client) !== undefined;
        response.statusCode = allowed ? 200 : 202;
        answer = { message: allowed ? "activated" : "waiting for VOXBUS_OTA_ALLOW" };
      } else answer = configure(request, body);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(answer));
    },
  };
}

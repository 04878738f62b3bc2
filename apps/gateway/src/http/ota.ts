import type { IncomingMessage, ServerResponse } from "node:http";
import type { Auth } from "./auth.ts";
import type { GatewayConfig } from "../config.ts";
import { checkOrigin, hostName, readIdentity, RefusedError, requestUrl } from "./identity.ts";

const maxBody = 65_536;

/** Where devices get their configuration at boot (docs/protocol.md, OTA). */
export interface Ota {
  /** True for a path of the OTA interface. */
  owns(path: string): boolean;
  /** Answers a request. Throws RefusedError or ProtocolError. */
  answer(request: IncomingMessage, response: ServerResponse, path: string): Promise<void>;
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > maxBody) throw new RefusedError("body-too-big", `the body is over ${maxBody} bytes`);
    chunks.push(chunk);
  }
  if (size === 0) return {};
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new RefusedError("bad-body", "the body is not JSON");
  }
}

/** The version that a device says it runs: offering the same one means that there is no update. Digits and dots only, or devices crash. */
function runningVersion(body: unknown): string {
  const application = typeof body === "object" && body !== null && "application" in body ? body.application : undefined;
  const version =
    typeof application === "object" && application !== null && "version" in application
      ? application.version
      : undefined;
  return typeof version === "string" && /^\d{1,6}(\.\d{1,6}){0,3}$/.test(version) ? version : "0.0.0";
}

/** Creates the OTA interface. `port` gives the real port of the gateway, since devices send Host without one. */
export function createOta(options: {
  readonly config: GatewayConfig;
  readonly auth: Auth;
  readonly port: () => number;
  readonly refused: (device: string) => void;
}): Ota {
  const { config, auth } = options;
  const configure = (request: IncomingMessage, body: unknown) => {
    const { device, client } = readIdentity(request, requestUrl(request));
    const token = auth.issue(device, client);
    if (token === undefined) options.refused(device);
    const now = new Date();
    const host = hostName(request.headers.host ?? "") || "127.0.0.1";
    return {
      server_time: { timestamp: now.getTime(), timezone_offset: -now.getTimezoneOffset() },
      firmware: { version: runningVersion(body), url: "" },
      websocket: {
        url:
          config.VOXBUS_PUBLIC_URL ?? `ws://${host.includes(":") ? `[${host}]` : host}:${options.port()}/xiaozhi/v1/`,
        token: token ?? "",
        version: 1,
      },
    };
  };
  return {
    owns: (path) => path.startsWith("/xiaozhi/ota"),
    async answer(request, response, path) {
      checkOrigin(request, config);
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
        throw new RefusedError("method-not-allowed", `${request.method} is not taken here`);
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

import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ServerInfo } from "@nats-io/transport-node";
import { defaultPorts } from "@voxbus/protocol";

const patienceMs = 1000;
/** Time after which a server that does not greet is asked something, ms. An HTTP server answers then. */
const askMs = 300;
const refusal = /^ERR_SSL_\w*ALERT_\w*(?:CERTIFICATE|UNKNOWN_CA)/;
const distrust = /CERT|ISSUER|SELF_SIGNED|UNABLE_TO_VERIFY/;
/** The oldest nats-server that lets messages and keys expire one by one. */
const oldest = [2, 11] as const;

/** The files of a TLS connection. */
export interface TlsFiles {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** Explains why the version of a nats-server cannot be used. Undefined if it can, or if it is not a number. */
export function findOldVersion({ version }: Pick<ServerInfo, "version">): string | undefined {
  const [, major = NaN, minor = NaN] = (/^v?(\d+)\.(\d+)/.exec(version) ?? []).map(Number);
  const old = major < oldest[0] || (major === oldest[0] && minor < oldest[1]);
  return old ? `it is nats-server ${version}: voxbus needs ${oldest.join(".")} or newer` : undefined;
}

/**
 * Asks a server that nats.js cannot connect to for the reason, if it is one that no retry can help: another protocol, no
 * TLS, or a certificate that one side does not accept. nats.js reports some of these as a timeout. Takes 2 s at most.
 */
export async function findObstacle(address: string, files: TlsFiles | undefined): Promise<string | undefined> {
  const { hostname, port } = new URL(`tcp://${address}`);
  const host = hostname.replaceAll(/^\[|\]$/g, "");
  const socket = connectTcp(Number(port) || defaultPorts.nats, host);
  try {
    const info = readInfo(await readLine(socket));
    if (info === undefined) return "it is no NATS server. Check host and port";
    const offersTls = info.tls_required === true || info.tls_available === true;
    if (files !== undefined && !offersTls) {
      return "it has no TLS. Enable it there, or use nats:// without VOXBUS_NATS_CA, VOXBUS_NATS_CERT and VOXBUS_NATS_KEY";
    }
    return offersTls ? await findTlsObstacle(socket, host, files ?? {}) : undefined;
  } catch {
    return undefined; // the server is away, or too slow to tell
  } finally {
    socket.destroy();
  }
}

/** Reads a server's first line, or what it sends before it closes the connection. */
async function readLine(socket: Socket): Promise<string> {
  const signal = AbortSignal.timeout(patienceMs);
  setTimeout(() => socket.writable && text === "" && socket.write("PING\r\n\r\n"), askMs);
  let text = "";
  while (!text.includes("\n")) {
    const [bytes] = (await once(socket, "data", { signal })) as [Buffer];
    text += bytes.toString("latin1");
  }
  return text;
}

function readInfo(line: string): Partial<ServerInfo> | undefined {
  try {
    return JSON.parse(/^INFO (\{.*\})\s/.exec(line)?.[1] ?? "") as Partial<ServerInfo>;
  } catch {
    return undefined;
  }
}

async function findTlsObstacle(socket: Socket, host: string, files: TlsFiles): Promise<string | undefined> {
  const paths = [files.caFile, files.certFile, files.keyFile];
  const missing = paths.find((path) => path !== undefined && !existsSync(path));
  if (missing !== undefined) return `the file ${missing} is gone`;
  const [ca, cert, key] = paths.map((path) => path && readFileSync(path));
  const secure = connectTls({
    socket,
    ...(isIP(host) ? {} : { servername: host }),
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
  });
  try {
    await once(secure, "close", { signal: AbortSignal.timeout(patienceMs) });
  } catch (error) {
    const code = String((error as { readonly code?: unknown }).code);
    // The refusal comes after the handshake.
    if (refusal.test(code)) return `it refuses the client certificate (${code})`;
    if (distrust.test(code))
      return `its certificate cannot be trusted (${code}). Check VOXBUS_NATS_CA and the host name`;
  }
  return undefined;
}

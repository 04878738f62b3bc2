import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectTcp, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import { defaultPorts } from "@voxbus/protocol";

const patienceMs = 1000;
const refusal = /^ERR_SSL_\w*ALERT_\w*(?:CERTIFICATE|UNKNOWN_CA)/;

/** The files of a TLS connection. */
export interface TlsFiles {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/**
 * Asks a server whether it refuses this program's certificate, or its lack of one, and resolves with OpenSSL's name of the
 * reason. The refusal comes after the handshake, and nats.js reports it as a timeout. Takes 2 s at most.
 */
export async function findTlsRefusal(address: string, files: TlsFiles): Promise<string | undefined> {
  const { hostname, port } = new URL(`tcp://${address}`);
  const host = hostname.replaceAll(/^\[|\]$/g, "");
  const socket = connectTcp(Number(port) || defaultPorts.nats, host);
  try {
    await once(socket, "data", { signal: AbortSignal.timeout(patienceMs) }); // the server's greeting
    const [ca, cert, key] = [files.caFile, files.certFile, files.keyFile].map((path) => path && readFileSync(path));
    const secure = connectTls({
      socket,
      ...(isIP(host) ? {} : { servername: host }),
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
    });
    await once(secure, "close", { signal: AbortSignal.timeout(patienceMs) });
  } catch (error) {
    const code = String((error as { readonly code?: unknown }).code);
    if (refusal.test(code)) return code;
  } finally {
    socket.destroy();
  }
  return undefined;
}

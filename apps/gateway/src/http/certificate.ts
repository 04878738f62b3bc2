import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, unwatchFile, watchFile } from "node:fs";
import { createSecureContext, type Server } from "node:tls";
import { ConfigError, startAtZero, type Closer, type Context } from "@voxbus/subscriber";
import type { GatewayConfig, gatewayConfig } from "../config.ts";

/** Time between two looks at the files, and from the last change to the new certificate, ms. */
const lookMs = 1000;

/** A certificate with its chain, and its key, as PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** The beginning of the two variables of a certificate. */
export type CertificateVariables = "VOXBUS_GATEWAY_TLS" | "VOXBUS_MQTT_TLS";

/** Reads a certificate. Undefined without one. Throws ConfigError, which names the variable to change. */
export function readCertificate(
  config: GatewayConfig,
  variables: CertificateVariables = "VOXBUS_GATEWAY_TLS",
): Certificate | undefined {
  const certName = `${variables}_CERT` as const;
  const keyName = `${variables}_KEY` as const;
  const { [certName]: certPath, [keyName]: keyPath } = config;
  if (certPath === undefined && keyPath === undefined) return undefined;
  const missing = certPath === undefined ? certName : keyName;
  if (certPath === undefined || keyPath === undefined) {
    throw new ConfigError([`${missing}: must be set, because a certificate and its key belong together`]);
  }
  const cert = readPem(certName, certPath);
  const key = readPem(keyName, keyPath);
  const parse = <T>(problem: string, read: () => T): T => {
    try {
      return read();
    } catch (cause) {
      throw new ConfigError([problem], { cause });
    }
  };
  const notPem = `${certName}: ${certPath} must hold a certificate and its chain as PEM`;
  const leaf = parse(notPem, () => new X509Certificate(cert));
  parse(notPem, () => createSecureContext({ cert }));
  const secret = parse(`${keyName}: ${keyPath} must hold a key as PEM, without a passphrase`, () =>
    createPrivateKey(key),
  );
  if (!leaf.checkPrivateKey(secret)) {
    throw new ConfigError([`${keyName}: ${keyPath} is not the key of the certificate in ${certPath}`]);
  }
  return { cert, key };
}

function readPem(variable: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const { code = "unknown error" } = cause as NodeJS.ErrnoException;
    throw new ConfigError([`${variable}: ${path} cannot be read: ${code}`], { cause });
  }
}

/** Keeps a server's certificate up to date. */
export interface CertificateWatch {
  /** Reads the certificate for the start. Throws as `readCertificate` does. */
  read(): Certificate | undefined;
  /** Loads the certificate again whenever a file of it changes. If the new files are unusable, the old ones stay in use. */
  follow(server: Server): Closer;
}

/** Creates the watch over the gateway's certificate. It counts each certificate that was loaded or refused. */
export function createCertificateWatch(
  { config, log, meter }: Pick<Context<typeof gatewayConfig>, "config" | "log" | "meter">,
  variables: CertificateVariables = "VOXBUS_GATEWAY_TLS",
): CertificateWatch {
  const description = "Certificates read, by result";
  const loads = startAtZero(meter.createCounter("voxbus_gateway_certificate_loads", { description }), {
    result: ["loaded", "refused"],
  });
  const read = () => {
    const certificate = readCertificate(config, variables);
    if (certificate === undefined) return undefined;
    const { validTo, subjectAltName: names } = new X509Certificate(certificate.cert);
    const expired = Date.parse(validTo) < Date.now();
    if (expired) log.warn({ names, validTo }, "certificate expired");
    else log.info({ names, validTo }, "certificate loaded");
    loads.add(1, { result: "loaded" });
    return certificate;
  };
  return {
    read,
    follow(server) {
      const reload = () => {
        try {
          const certificate = read();
          if (certificate !== undefined) server.setSecureContext(certificate);
        } catch (err) {
          loads.add(1, { result: "refused" });
          log.error({ err }, "certificate refused, old one kept");
        }
      };
      let timer: NodeJS.Timeout | undefined;
      // The two files change one after the other.
      const changed = () => {
        clearTimeout(timer);
        timer = setTimeout(reload, lookMs);
      };
      const paths = [config[`${variables}_CERT`], config[`${variables}_KEY`]].filter((path) => path !== undefined);
      for (const path of paths) watchFile(path, { interval: lookMs, persistent: false }, changed);
      return {
        close() {
          clearTimeout(timer);
          for (const path of paths) unwatchFile(path, changed);
        },
      };
    },
  };
}

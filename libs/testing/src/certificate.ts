import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** Paths of a certificate, which is its own authority, and of its key. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/**
 * Writes a certificate and its key into a folder, as NAME.cert and NAME.key. It is for localhost, 127.0.0.1 and the hosts
 * `also`, and valid for a day. Needs openssl.
 */
export function makeCertificate(folder: string, name: string, also: readonly string[] = []): CertificateFiles {
  const names = ["IP:127.0.0.1", ...["localhost", ...also].map((host) => `DNS:${host}`)].join();
  const args =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 " +
    `-subj /CN=${name} -addext subjectAltName=${names} -keyout ${name}.key -out ${name}.cert`;
  execFileSync("openssl", args.split(" "), { cwd: folder, stdio: "pipe" });
  return { cert: join(folder, `${name}.cert`), key: join(folder, `${name}.key`) };
}

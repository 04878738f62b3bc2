import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { ConfigError, isSameSecret, type Log } from "@voxbus/subscriber";

/** The keys that are burned into boards. */
export interface BoardKeys {
  /** Gives the key of the board with this serial number, or undefined. */
  of(serial: string): Promise<Buffer | undefined>;
}

/** Tells whether `hmac` is the HMAC-SHA256 of a challenge with a board's key, in hexadecimal digits. */
export function isProof(key: Buffer, challenge: string, hmac: string): boolean {
  return isSameSecret(hmac.toLowerCase(), createHmac("sha256", key).update(challenge).digest("hex"));
}

/** Checks the file of keys. Throws ConfigError with the number of a line that is wrong. */
export function checkKeys(path: string | undefined): void {
  if (path === undefined) return;
  try {
    parseKeys(readFileSync(path, "utf8"));
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError([`VOXBUS_ACTIVATION_KEYS: ${message}`], { cause });
  }
}

/**
 * Opens a file of keys. Without one no board has a key. It is read again when it has changed; if it is unusable then, the old
 * keys stay in use.
 */
export function openKeys(path: string | undefined, log: Pick<Log, "error">): BoardKeys {
  let keys = path === undefined ? new Map<string, Buffer>() : parseKeys(readFileSync(path, "utf8"));
  let readAt = -1;
  const refresh = async (file: string) => {
    const { mtimeMs } = await stat(file);
    if (mtimeMs === readAt) return;
    readAt = mtimeMs;
    keys = parseKeys(await readFile(file, "utf8"));
  };
  return {
    async of(serial) {
      if (path === undefined || serial === "") return undefined;
      await refresh(path).catch((err: unknown) => log.error({ err }, "board keys refused, old ones kept"));
      return keys.get(serial);
    },
  };
}

/** Reads lines of a serial number and its key in hexadecimal digits. Empty lines and those with `#` in front are skipped. */
function parseKeys(text: string): Map<string, Buffer> {
  const keys = new Map<string, Buffer>();
  for (const [index, line] of text.split("\n").entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, serial, key] = /^\s*(\S{1,64})\s+((?:[0-9a-f]{2}){16,64})\s*$/i.exec(line) ?? [];
    if (serial === undefined || key === undefined)
      throw new Error(`line ${index + 1} must be a serial number and a key of 32 to 128 hexadecimal digits`);
    keys.set(serial, Buffer.from(key, "hex"));
  }
  return keys;
}

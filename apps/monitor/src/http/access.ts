import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isLoopback } from "../config.ts";
import { Problem } from "./problems.ts";

/** Lets a request to `path` in, or throws a Problem: `forbidden` or `unauthorized`. */
export type Admission = (request: IncomingMessage, path: string) => void;

/**
 * Keeps other web sites and strangers out. With a `token` everything under `/api/` demands it. Without one, on a
 * loopback `host`, the Host header must be loopback too, so that no foreign name that resolves to this machine gets in.
 * What changes something must, if a page asks for it, come from a page of this monitor.
 */
export function createAdmission(options: { readonly host: string; readonly token: string | undefined }): Admission {
  const { host, token } = options;
  return ({ headers, method }, path) => {
    const named = headers.host ?? "";
    if (token === undefined && isLoopback(host) && !isLoopback(hostName(named))) {
      throw new Problem("forbidden", `the Host header must name this machine, such as ${host}`);
    }
    if (token !== undefined && path.startsWith("/api/") && !sameSecret(bearer(headers.authorization), token)) {
      throw new Problem("unauthorized", "send the monitor's token as `Authorization: Bearer …`", {
        headers: { "www-authenticate": 'Bearer realm="voxbus"' },
      });
    }
    const { origin } = headers;
    if (
      method !== "GET" &&
      method !== "HEAD" &&
      origin !== undefined &&
      origin !== `http://${named}` &&
      origin !== `https://${named}`
    ) {
      throw new Problem("forbidden", "the Origin header names another site");
    }
  };
}

const hostName = (header: string): string =>
  header
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .toLowerCase();

const bearer = (header: string | undefined): string => /^Bearer +(.+)$/i.exec(header ?? "")?.[1] ?? "";

// Digests have one length, so the comparison's time tells nothing of the token, not even how long it is.
const sameSecret = (given: string, wanted: string): boolean => timingSafeEqual(digest(given), digest(wanted));

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

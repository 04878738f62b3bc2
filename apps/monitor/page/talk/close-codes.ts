import { closeCodes } from "@voxbus/protocol";

/** The code that a browser reports when a connection broke without a close frame (RFC 6455, section 7.1.5). */
const abnormalClosure = 1006;

const reconnectCodes: ReadonlySet<number> = new Set([
  abnormalClosure,
  ...Object.values(closeCodes)
    .filter(({ reconnect }) => reconnect)
    .map(({ code }) => code),
]);

/** Returns true if the device should connect again after its session closed with `code` (docs/protocol.md, close codes). */
export function reconnectsAfter(code: number): boolean {
  return reconnectCodes.has(code);
}

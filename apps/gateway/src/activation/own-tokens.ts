import type { Bus } from "@voxbus/bus";
import { buckets, type RegisteredDevice, type RegisteredToken } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import type { Identity } from "../http/auth.ts";
import type { KnownDevices } from "../http/known-devices.ts";
import { findToken, registerToken } from "./own-token.ts";

/** The tokens of devices' own in the registry. */
export interface OwnTokens {
  /** Gives a device's own token, a new one if it is due. Undefined if it has none, or another client has it. */
  tokenFor(identity: Identity): Promise<string | undefined>;
  /** Reads whether a device has been given a token, which may not have come here yet. Throws BusAwayError. */
  lookUp(identity: Identity): Promise<string | undefined>;
  /** Makes the registry's entry for a new token. */
  make(identity: Identity): RegisteredToken;
  /**
   * Changes what is registered of a device, unless an operator refuses it, or `edit` gives undefined. Gives the token that the
   * device has then, and none if it is refused. Throws BusAwayError or ConflictError.
   */
  change(
    identity: Identity,
    edit: (found: RegisteredDevice) => RegisteredDevice | undefined,
  ): Promise<string | undefined>;
}

/** Creates the tokens. A token is valid for `ttlMs`, and is renewed in the second half of that time. */
export function createOwnTokens(
  bus: Bus,
  { known, ttlMs, log }: { readonly known: KnownDevices; readonly ttlMs: number; readonly log: Log },
): OwnTokens {
  const registry = bus.bucket(buckets.registry);
  const make = (identity: Identity) => registerToken(identity, bus.now(), ttlMs);
  const change: OwnTokens["change"] = async (identity, edit) => {
    let left: RegisteredDevice | undefined;
    await registry.modify(identity.device, (found = { since: bus.now() }) => {
      const edited = found.allowed === false ? undefined : edit(found);
      left = edited ?? found;
      return edited;
    });
    return left?.allowed === false ? undefined : findToken(identity, left?.tokens)?.token;
  };
  return {
    make,
    change,
    async lookUp(identity) {
      const { tokens, allowed } = (await registry.get(identity.device))?.value ?? {};
      return allowed === false ? undefined : findToken(identity, tokens)?.token;
    },
    async tokenFor(identity) {
      const registered = known.registered(identity.device);
      const found = findToken(identity, registered?.tokens);
      if (found === undefined || registered?.allowed === false) return undefined;
      if (bus.now() < found.entry.renewAt) return found.token;
      try {
        const renewed = await change(identity, (now) => {
          const newest = findToken(identity, now.tokens)?.entry;
          // Another gateway was first.
          if (newest !== undefined && bus.now() < newest.renewAt) return undefined;
          // A token that an operator issued stays valid. Without one, that is the token before.
          const issued = now.tokens?.find((token) => findToken(identity, [token]) === undefined);
          return { ...now, tokens: [make(identity), issued ?? found.entry] };
        });
        return renewed ?? found.token;
      } catch (err) {
        log.warn({ err, device: identity.device }, "token renewal failed, old one kept");
        return found.token;
      }
    },
  };
}

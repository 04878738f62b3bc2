import type { Bus, Closer } from "@voxbus/bus";
import { refusals } from "@voxbus/protocol";
import { createGuesses, type Client, type Guesses, type Log } from "@voxbus/subscriber";
import type { GatewayConfig } from "../config.ts";
import type { Identity } from "../http/auth.ts";
import type { KnownDevices } from "../http/known-devices.ts";
import { RefusedError } from "../http/refusals.ts";
import { fixedLimits } from "../limits.ts";
import type { DeviceReport } from "../session/record-queue.ts";
import { isProof, openKeys } from "./board-keys.ts";
import { leastClientLength } from "./own-token.ts";
import type { OwnTokens } from "./own-tokens.ts";
import { watchWaiting, type WaitingDevices } from "./waiting-devices.ts";

/** A device that asks for its configuration without a token that it may have. */
export interface Asker {
  readonly identity: Identity;
  readonly client: Client;
  /** The serial number that it names; empty without one. */
  readonly serial: string;
  readonly report: DeviceReport;
}

/** The words for a device that must be activated first. Without a code its board proves itself. */
export interface Told {
  readonly code?: string;
  readonly challenge: string;
}

/** A device's answer to its challenge. */
export interface Proof {
  readonly serial: string;
  readonly challenge: string;
  readonly hmac: string;
}

/** The activation of devices. */
export interface DeviceActivation extends Closer {
  /**
   * Lets a device in, or tells it what to show. Undefined if it can do neither. Throws RefusedError if too many devices wait,
   * or BusAwayError.
   */
  admit(asker: Asker): Promise<{ readonly token: string } | Told | undefined>;
  /** Lets a waiting device in if its board proves who it is. Throws RefusedError after too many wrong proofs. */
  prove(identity: Identity, client: Client, proof: Proof): Promise<boolean>;
}

/** Dependencies of the activation. */
interface ActivationDeps {
  readonly bus: Bus;
  readonly config: GatewayConfig;
  readonly known: KnownDevices;
  readonly tokens: OwnTokens;
  readonly guesses: Guesses;
  readonly log: Log;
}

/** Opens the activation as VOXBUS_ACTIVATION says. */
export async function openActivation(deps: ActivationDeps): Promise<DeviceActivation> {
  const { bus, config, known, tokens, guesses, log } = deps;
  const { VOXBUS_ACTIVATION: mode } = config;
  const keys = openKeys(config.VOXBUS_ACTIVATION_KEYS, log);
  const waiting = mode === "code" ? await watchWaiting(bus) : undefined;
  const newcomers = createGuesses({ burst: fixedLimits.newcomers, refillMs: fixedLimits.newcomerMs });
  /** Gives a device its first token: the first client that asks with its id has it. */
  const letIn = async ({ identity, client: { group } }: Asker) => {
    const { device } = identity;
    if (!newcomers.allows(group, device))
      throw new RefusedError("too-many-waiting", refusals["too-many-waiting"].meaning);
    newcomers.wrong(group, device);
    const token = await tokens.change(identity, (found) =>
      (found.tokens ?? []).length > 0 ? undefined : { ...found, allowed: true, tokens: [tokens.make(identity)] },
    );
    if (token === undefined) return undefined;
    log.info({ device }, "device activated without a code");
    return { token };
  };
  const beginWait = async (devices: WaitingDevices, { identity, client, serial, report }: Asker): Promise<Told> => {
    const { code, activation } = await devices.add(identity, {
      ...report,
      token: tokens.make(identity),
      remote: client.address,
      network: client.group,
    });
    const { challenge } = activation;
    return (await keys.of(serial)) === undefined ? { code, challenge } : { challenge };
  };

  return {
    async admit(asker) {
      const { identity } = asker;
      const registered = known.registered(identity.device);
      if (mode === "off" || registered?.allowed === false) return undefined;
      if (identity.client.length < leastClientLength || identity.client === identity.device) {
        log.warn({ device: identity.device }, "activation refused: Client-Id missing, short or the device id");
        return undefined;
      }
      const isNew = (registered?.tokens ?? []).length === 0;
      if (isNew && (mode === "allow-all" || registered?.allowed === true)) return letIn(asker);
      if (waiting !== undefined) {
        const token = await tokens.lookUp(identity);
        return token === undefined ? beginWait(waiting, asker) : { token };
      }
      log.warn({ device: identity.device }, "activation refused: device registered for another client");
      return undefined;
    },
    async prove(identity, { group }, { serial, challenge, hmac }) {
      const found = waiting?.find(identity);
      if (waiting === undefined || found?.activation.challenge !== challenge) return false;
      const key = await keys.of(serial);
      if (key === undefined) return false;
      if (!guesses.allows(group, identity.device))
        throw new RefusedError("too-many-guesses", refusals["too-many-guesses"].meaning);
      if (!isProof(key, challenge, hmac)) {
        guesses.wrong(group, identity.device);
        return false;
      }
      const { token } = found.activation;
      const given = await tokens.change(identity, (now) => ({ ...now, allowed: true, tokens: [token] }));
      if (given === undefined) return false;
      await waiting.remove(found.code);
      log.info({ device: identity.device, serial }, "device activated by key");
      return true;
    },
    close: () => waiting?.close(),
  };
}

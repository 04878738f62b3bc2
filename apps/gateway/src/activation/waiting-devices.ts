import { randomBytes, randomInt } from "node:crypto";
import { ConflictError, type Bus, type Closer } from "@voxbus/bus";
import { activationMs, buckets, refusals, type Activation } from "@voxbus/protocol";
import type { Identity } from "../http/auth.ts";
import { RefusedError } from "../http/refusals.ts";
import { fixedLimits } from "../limits.ts";
import { findToken } from "./own-token.ts";

/** A device that waits, and the code that stands for it. */
export interface Waiting {
  readonly code: string;
  readonly activation: Activation;
}

/** The devices that wait for an operator, at every gateway. */
export interface WaitingDevices extends Closer {
  /** Gives the code that a device with this identity waits with. */
  find(identity: Identity): Waiting | undefined;
  /**
   * Lets a device wait, unless it does already. Its code is no other's. Throws RefusedError if too many wait, or
   * BusAwayError.
   */
  add(identity: Identity, about: Omit<Activation, "at" | "challenge" | "device">): Promise<Waiting>;
  /** Ends a wait. */
  remove(code: string): Promise<void>;
}

/** Watches the devices that wait. Resolves when the first snapshot is complete. */
export async function watchWaiting(bus: Bus): Promise<WaitingDevices> {
  const bucket = bus.bucket(buckets.activations);
  /** Those that were written here, until the watch has them. */
  const added = new Map<string, Activation>();
  const { entries, close } = await bucket.watch((code) => added.delete(code));
  /** Those that are being written, by device and client. */
  const adding = new Map<string, { readonly activation: Activation; readonly written: Promise<Waiting> }>();

  const list = (): readonly Waiting[] => {
    const all = new Map(added);
    for (const [code, { value }] of entries) if (value !== undefined) all.set(code, value);
    const since = bus.now() - activationMs;
    return [...all].flatMap(([code, activation]) => (activation.at > since ? [{ code, activation }] : []));
  };
  const find = (identity: Identity) =>
    list().find(({ activation: { device, token } }) => device === identity.device && findToken(identity, [token]));

  const checkRoom = (network: string | undefined) => {
    // The watch may have one before its write has returned.
    const byChallenge = new Map(
      [...list(), ...adding.values()].map(({ activation }) => [activation.challenge, activation]),
    );
    const all = [...byChallenge.values()];
    const near = network === undefined ? [] : all.filter((one) => one.network === network);
    if (all.length >= fixedLimits.waiting || near.length >= fixedLimits.waitingPerAddress)
      throw new RefusedError("too-many-waiting", refusals["too-many-waiting"].meaning);
  };
  const write = async (activation: Activation): Promise<Waiting> => {
    for (;;) {
      const code = String(randomInt(1_000_000)).padStart(6, "0");
      try {
        await bucket.update(code, activation, 0);
        // The watch may have been faster.
        if (!entries.has(code)) added.set(code, activation);
        return { code, activation };
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
    }
  };
  return {
    find,
    async add(identity, about) {
      const { device, client } = identity;
      const found = find(identity);
      if (found !== undefined) return found;
      const key = `${device} ${client}`;
      const begun = adding.get(key);
      if (begun !== undefined) return begun.written;
      const { network } = about;
      checkRoom(network);
      const activation = { ...about, device, challenge: randomBytes(16).toString("hex"), at: bus.now() };
      const written = write(activation);
      adding.set(key, { activation, written });
      return written.finally(() => adding.delete(key));
    },
    async remove(code) {
      added.delete(code);
      await bucket.remove(code);
    },
    close,
  };
}

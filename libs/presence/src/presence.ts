import type { GatewayLease, Presence, Profile } from "@voxbus/protocol";
import type { Closer } from "@voxbus/bus";

/** A live view of who is online: presence joined with the leases of the gateways. */
export interface PresenceView extends Closer {
  /** The device's presence if its gateway's lease, with that epoch, lives; else undefined. */
  online(device: string): Presence | undefined;
  /** Every device that is online. */
  devices(): IterableIterator<readonly [device: string, presence: Presence]>;
  /** Every gateway with a living lease. */
  gateways(): readonly GatewayLease[];
}

/** What a gateway keeps in the registry for itself and its devices. */
export interface Registry {
  /**
   * Writes presence with a term above the one found, by compare-and-set until it is ours or `signal` ends; gives what
   * was there before, whose gateway is to be told. Throws ConflictError when a newer session with a higher term was faster.
   */
  enter(
    device: string,
    presence: Omit<Presence, "term" | "gateway" | "epoch">,
    signal: AbortSignal,
  ): Promise<{ readonly term: number; readonly previous: Presence | undefined }>;
  /** Changes the state of our own entry; does nothing when the entry is no longer ours. */
  update(device: string, session: string, state: Presence["state"]): void;
  /** Removes our own entry, and nobody else's. */
  leave(device: string, session: string): Promise<void>;
  /** Renews the lease with new numbers, every 3 s by itself; `draining` is written at once. */
  draining(): Promise<void>;
  /** Removes the lease, so that all that is left of this gateway goes offline at once. */
  close(): Promise<void>;
}

/** Profiles with defaults filled in: the device's own fields over those of `=default` over the schema's. */
export interface Profiles extends Closer {
  of(device: string): Profile;
}

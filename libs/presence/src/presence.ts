import type { GatewayLease, Presence, Profile } from "@voxbus/protocol";
import type { Closer } from "@voxbus/bus";

/** A live view of who is online: presence joined with the leases of the gateways. */
export interface PresenceView extends Closer {
  /** The device's presence while the lease of its gateway, with the same epoch, lives. Otherwise undefined. */
  online(device: string): Presence | undefined;
  /** Every device that is online. */
  devices(): IterableIterator<readonly [device: string, presence: Presence]>;
  /** Every gateway whose lease lives. */
  gateways(): readonly GatewayLease[];
}

/** A gateway's lease and the presence of its devices. */
export interface Registry {
  /**
   * Writes presence with a term above the one found, by compare-and-set. Retries until it succeeds or `signal` aborts.
   * Returns the entry that it replaced, so that the caller can notify its gateway. Throws ConflictError when a newer
   * session with a higher term was first.
   */
  enter(
    device: string,
    presence: Omit<Presence, "term" | "gateway" | "epoch">,
    signal: AbortSignal,
  ): Promise<{ readonly term: number; readonly previous: Presence | undefined }>;
  /** Changes the state of our own entry. Does nothing if the entry is no longer ours. */
  update(device: string, session: string, state: Presence["state"]): void;
  /** Removes our own entry. Leaves another gateway's entry alone. */
  leave(device: string, session: string): Promise<void>;
  /** Marks the lease as draining and writes it at once. Otherwise the lease renews itself every 3 s. */
  draining(): Promise<void>;
  /** Removes the lease, so that devices still registered on this gateway go offline at once. */
  close(): Promise<void>;
}

/** Profiles with defaults filled in: the device's own fields over those of `=default` over the schema's. */
export interface Profiles extends Closer {
  of(device: string): Profile;
}

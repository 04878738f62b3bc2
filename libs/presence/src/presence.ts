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
   * Writes presence by compare-and-set, with a term above the one found and at least `since`. Retries until it succeeds or
   * `signal` aborts. Returns the entry that it replaced, so that the caller can notify its gateway. If the write
   * was late, it throws ConflictError if another gateway has a session of the device that was opened after this one, and
   * another error if that gateway is gone. If it throws, nothing of it is left in the bucket.
   */
  enter(
    device: string,
    presence: Omit<Presence, "term" | "gateway" | "epoch">,
    signal: AbortSignal,
  ): Promise<{ readonly term: number; readonly previous: Presence | undefined }>;
  /** Changes the state of our own entry. Does nothing if the entry is no longer ours. */
  update(device: string, session: string, state: Presence["state"]): void;
  /** Removes our own entry of a device, of `session` if given. Leaves another gateway's entry alone. */
  leave(device: string, session?: string): Promise<void>;
  /**
   * Notes that this gateway leaves in order, and marks the lease as draining, at once or as soon as NATS answers. Otherwise
   * the lease renews itself every 3 s.
   */
  draining(): Promise<void>;
  /**
   * Removes the lease, so that devices still registered on this gateway go offline at once. Before that it waits up to
   * `patienceMs` (1 s by default) until the note that this gateway leaves is stored.
   */
  close(patienceMs?: number): Promise<void>;
}

/** Profiles with defaults filled in: the device's own fields over those of `=default` over the schema's. */
export interface Profiles extends Closer {
  of(device: string): Profile;
}

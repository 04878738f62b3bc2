import type { GatewayLease, OwnProfile, Presence, Profile } from "@voxbus/protocol";
import type { Closer } from "@voxbus/bus";

/** A live view of who is online: presence joined with the leases of the gateways. */
export interface PresenceView extends Closer {
  /** The device's presence while the lease of its gateway, with the same epoch, lives. Otherwise undefined. */
  online(device: string): Presence | undefined;
  /** Every device that is online. */
  devices(): IterableIterator<readonly [device: string, presence: Presence]>;
  /** Every gateway whose lease lives. */
  gateways(): readonly GatewayLease[];
  /**
   * Calls `changed` with each device that is online now, and with each one that comes online, changes, or goes offline
   * (`undefined`). A device whose gateway died goes offline within a second after the lease has expired.
   */
  watch(changed: (device: string, presence: Presence | undefined) => void): Closer;
}

/** The fields of an entry that change while its session lasts. */
export type PresenceChange = Partial<Pick<Presence, "state" | "audio" | "features">>;

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
  /** Changes our own entry. Does nothing if the entry is no longer ours. */
  update(device: string, session: string, change: PresenceChange): void;
  /** Removes our own entry of a device, of `session` if given. Leaves another gateway's entry alone. */
  leave(device: string, session?: string): Promise<void>;
  /**
   * Notes that this gateway leaves in order, and marks the lease as draining, at once or as soon as NATS answers. From then
   * on the lease renews itself every second, before every 3 s.
   */
  draining(): Promise<void>;
  /**
   * Removes the lease, so that devices still registered on this gateway go offline at once. Before that it waits up to
   * `patienceMs` (1 s by default) until the note that this gateway leaves is stored.
   */
  close(patienceMs?: number): Promise<void>;
}

/**
 * Profiles with defaults filled in: the device's own fields come before those of its groups, those before the fleet's, and those
 * before the schema's. While a device has a trial, that is its profile.
 */
export interface Profiles extends Closer {
  of(device: string): Profile;
  /** The same without a trial. */
  saved(device: string): Profile;
  /** The fields that the levels of a device set, without the schema's defaults and trials. */
  stored(device: string): OwnProfile;
  /** Lists the groups that have a profile, or that a profile names, in order. */
  groups(): readonly string[];
  /** Calls `changed` with each device whose own profile or trial changes, and without a device when that of many does. */
  watch(changed: (device: string | undefined) => void): Closer;
}

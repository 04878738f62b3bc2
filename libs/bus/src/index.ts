export {
  BusAwayError,
  ConflictError,
  type Arrival,
  type Bucket,
  type BucketName,
  type BucketWatch,
  type Bus,
  type Claim,
  type ClaimOptions,
  type Claims,
  type Closer,
  type Entry,
  type FollowOptions,
  type Stored,
  type StoreOptions,
  type StreamName,
} from "./bus.ts";
export { type PresenceView, type Profiles, type Registry } from "./presence.ts";
// implemented beside: connectBus(config, log), busConfig (zod shape), watchPresence(bus), createRegistry(bus, …), watchProfiles(bus)

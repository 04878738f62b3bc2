export { findProcess } from "./canary.ts";
export { countUpTo, endRecord } from "./device-record.ts";
export { createRegistry, type RegistryOptions } from "./registry.ts";
export { type LeaseOptions } from "./lease.ts";
export { watchGateways, type GatewayView } from "./gateway-view.ts";
export { watchSessions, type SessionWatch } from "./session-watch.ts";
export { awaitPresence, watchPresence } from "./presence-view.ts";
export {
  checkGroups,
  listSources,
  mergeLevels,
  readLevel,
  readLowerLevels,
  readProfile,
  resolveProfile,
} from "./profile-levels.ts";
export { watchProfiles, type EngineNames } from "./profiles.ts";
export { type PresenceView, type Profiles, type Registry } from "./presence.ts";

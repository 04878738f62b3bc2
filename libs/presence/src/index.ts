export { findProcess } from "./canary.ts";
export { countUpTo, endRecord } from "./device-record.ts";
export { createRegistry, type RegistryOptions } from "./registry.ts";
export { type LeaseOptions } from "./lease.ts";
export { watchSessions, type SessionWatch } from "./session-watch.ts";
export { awaitPresence, watchPresence } from "./presence-view.ts";
export { watchProfiles, type EngineNames } from "./profiles.ts";
export { type PresenceView, type Profiles, type Registry } from "./presence.ts";

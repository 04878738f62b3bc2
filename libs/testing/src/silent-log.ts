import { createLog, type Log } from "@voxbus/service";

/** A log that writes nothing. */
export const silentLog: Log = createLog({ name: "test", level: "silent", format: "json" });

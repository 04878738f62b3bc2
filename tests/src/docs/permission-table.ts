import { brokerTraceSubject, createNames } from "@voxbus/bus";
import { channels, storedPattern } from "@voxbus/protocol";
import { grants, listenerUser, shadowSubjects, type ChannelName } from "./grants.ts";
import { discoverySubjects, listServiceSubjects } from "./permissions.ts";

/** Makes the rows of the table "permissions" in docs/bus.md, header included. */
export function listGrants(): readonly (readonly string[])[] {
  const code = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(", ") || "-";
  const patterns = (names: readonly ChannelName[]) => names.map((name) => channels[name].pattern);
  const discoveryInbox = `${createNames().discoveryInbox}.>`;
  const rows = grants.map((grant) => {
    const { user, publishes, subscribes, follows = [] } = grant;
    const { claims = [], reads = [], watches = [], writes = [], keepsStreams, discovers, shadows } = grant;
    const own =
      user === listenerUser
        ? ["stats.<program>", "error.<program>"]
        : [`stats.${user}`, `error.${user}`, ...(shadows === "publishes" ? [shadowSubjects] : []), brokerTraceSubject];
    const stored = patterns(follows).map((pattern) => storedPattern.replace("<subject>", pattern));
    return [
      `\`${user}\``,
      code([...patterns(publishes), ...own, ...(discovers ? discoverySubjects : []), discoveryInbox]),
      code([
        ...patterns(subscribes),
        ...stored,
        ...(shadows === "subscribes" ? [shadowSubjects] : []),
        ...(keepsStreams ? [brokerTraceSubject] : []),
        ...listServiceSubjects(grant),
        ...(discovers ? [discoveryInbox] : []),
      ]),
      code(claims),
      code(reads),
      code(watches),
      code(writes),
    ];
  });
  const header = ["user", "publishes on", "subscribes to", "claims from", "reads", "watches", "writes"];
  return [header, header.map(() => "-"), ...rows];
}

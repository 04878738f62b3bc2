import type { Admin, StreamState } from "@voxbus/bus";
import { channels, stored } from "@voxbus/protocol";
import { judge, megabytes, type Finding } from "./finding.ts";

/** The oldest nats-server that is tested. An older one refuses messages that expire one by one. */
const oldestNats = [2, 11] as const;
/** Tokens and certificates bear less difference than this, ms. */
const clockToleranceMs = 30_000;
/** Share of a stream's room from which on it is nearly full. Buckets take no new entry when they are full. */
const nearlyFull = 0.9;

/** Describes the server that answers. */
export function checkServer(admin: Admin): Finding {
  const { version, name, cluster, address } = admin.server();
  const { ok, failed } = judge("nats");
  const values = { version, name, cluster, address };
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const found = `nats-server ${version} at ${address}${cluster === undefined ? "" : `, cluster ${cluster}`}`;
  if (major > oldestNats[0] || (major === oldestNats[0] && minor >= oldestNats[1])) return ok(found, values);
  return failed(`${found} is too old`, `Install nats-server ${oldestNats.join(".")} or newer.`, values);
}

/** Checks that JetStream is on for our account, and has the storage that the streams may need. */
export async function checkJetStream(admin: Admin, streams: readonly StreamState[]): Promise<Finding> {
  const { ok, warning, failed } = judge("jetstream");
  if (!admin.server().jetStream)
    return failed("JetStream is off", "Start nats-server with -js, or use the settings in deploy/nats.");
  const needed = streams.reduce((sum, { maxBytes }) => sum + Math.max(0, maxBytes), 0);
  const account = await admin.account().catch((error: unknown) => error as Error);
  if (account instanceof Error)
    return failed(
      `JetStream does not answer for this account (${account.message})`,
      "Enable JetStream for the account in nats-server's settings (deploy/nats/accounts.conf), and check that the server is well.",
    );
  const { storage, maxStorage } = account;
  const values = { storage, maxStorage, needed };
  const found = `JetStream stores ${megabytes(storage)}; the streams may need ${megabytes(needed)}`;
  if (maxStorage < 0 || maxStorage >= needed) return ok(found, values);
  const fix =
    "Raise the account's limit in nats-server's settings, or lower VOXBUS_DEVICE_IN_MB, VOXBUS_TURNS_MB and VOXBUS_BUCKETS_MB.";
  return warning(`${found}, and the account may use ${megabytes(maxStorage)}`, fix, values);
}

const fixes: Readonly<Record<Exclude<StreamState["state"], "ok">, string>> = {
  missing: "Programs create it when they start: start the system.",
  differs: "The monitor brings it up to date when it starts: start a monitor of this version.",
  foreign: "Another application has this name: set VOXBUS_NATS_PREFIX to a word of your own for every program.",
  denied:
    "NATS does not let this user look it up: use the user cli (deploy/nats/accounts.conf), set by VOXBUS_NATS_USER.",
  unanswered: "NATS did not answer within 2 s: check that the server is well, and that a cluster has a leader.",
};

/** Judges the streams and buckets: one finding for those that are well, and one for each other state. */
export function checkStreams(streams: readonly StreamState[]): readonly Finding[] {
  const { ok, warning, failed } = judge("streams");
  const well = streams.filter(({ state }) => state === "ok");
  const kept = well.filter((stream) => stream.kept.length > 0).map(({ name, kept }) => `${name} (${kept.join(", ")})`);
  const note = kept.length === 0 ? "" : `; an operator's own limits: ${kept.join(", ")}`;
  const findings = well.length === 0 ? [] : [ok(`${well.length} streams and buckets are as they should be${note}`)];
  for (const [state, fix] of Object.entries(fixes)) {
    const found = streams.filter((stream) => stream.state === state);
    if (found.length === 0) continue;
    const names = found.map(({ name, fields }) => (fields.length > 0 ? `${name} (${fields.join(", ")})` : name));
    const sentence = `${state}: ${names.join(", ")}`;
    const values = { state, streams: found.map(({ name }) => name) };
    const isGrave = state === "foreign" || state === "unanswered";
    findings.push(isGrave ? failed(sentence, fix, values) : warning(sentence, fix, values));
  }
  const full = streams.filter(
    ({ name, bytes, maxBytes }) => isBucket(name) && maxBytes > 0 && bytes > maxBytes * nearlyFull,
  );
  if (full.length > 0) {
    const names = full.map(({ name, bytes, maxBytes }) => `${name} (${megabytes(bytes)} of ${megabytes(maxBytes)})`);
    findings.push(
      warning(`nearly full: ${names.join(", ")}`, "Raise VOXBUS_BUCKETS_MB: a full bucket takes no new entry."),
    );
  }
  return findings;
}

/** Streams drop their oldest messages when they are full. */
function isBucket(name: StreamState["name"]): boolean {
  return name !== "DEVICE_IN" && name !== "TURNS";
}

/** The messages that the commands show. */
const followed: readonly string[] = [
  channels.inbound(),
  channels.heardPartial(),
  channels.out(),
  channels.fleetOut(),
  channels.groupOut(),
  channels.event(),
  channels.command(),
  channels.alert(),
  channels.stats(),
  stored(channels.heard()),
  stored(channels.sayOpen()),
  stored(channels.say()),
].map(({ subject }) => subject);

/** Checks that this user may follow the messages that the commands show. */
export async function checkPermissions(admin: Admin, user: string): Promise<Finding> {
  const { ok, warning } = judge("permissions");
  const denied = await admin.denied(followed);
  if (denied.length === 0) return ok(`${user} may follow all messages`);
  const fix =
    "Use the user cli of deploy/nats/accounts.conf (VOXBUS_NATS_USER, VOXBUS_NATS_PASSWORD), or grant these subjects.";
  return warning(`${user} may not follow ${denied.join(", ")}`, fix, { denied });
}

/** Compares the clock of this machine with that of NATS. */
export function checkClock(aheadMs: number | undefined): Finding {
  const { ok, warning, skipped } = judge("clock");
  if (aheadMs === undefined) return skipped("NATS has not told its time");
  return judgeClock("this machine's clock", aheadMs, "that of NATS", { ok, warning });
}

/** Judges the difference of two clocks. */
export function judgeClock(
  whose: string,
  aheadMs: number,
  than: string,
  { ok, warning }: Pick<ReturnType<typeof judge>, "ok" | "warning">,
): Finding {
  const rounded = Math.round(aheadMs);
  const found = `${whose} is ${Math.abs(rounded)} ms ${rounded < 0 ? "behind" : "ahead of"} ${than}`;
  if (Math.abs(rounded) <= clockToleranceMs) return ok(found, { aheadMs: rounded });
  return warning(found, "Set the clock by NTP: systemctl enable --now systemd-timesyncd, or chrony.", {
    aheadMs: rounded,
  });
}

import { buckets, OwnProfile, ProtocolError, type BucketRow } from "@voxbus/protocol";
import { UsageError } from "./command.ts";
import { describeProblem } from "./frames.ts";

const rows: readonly BucketRow[] = Object.values(buckets);

/**
 * Finds the kind of the entry that a key of a bucket has, by its subject on NATS, such as `$KV.voxbus_profiles.kitchen`. Undefined for
 * another subject. Throws UsageError that lists the keys if there is no such bucket or key.
 */
export function findBucketRow(subject: string): BucketRow | undefined {
  if (!subject.startsWith("$KV.")) return undefined;
  const [, bucket, key = ""] = /^\$KV\.[\w-]+_([a-z-]+)\.([^*>\s]+)$/.exec(subject) ?? [];
  const row = rows.find((one) => one.bucket === bucket && one.idOf(key) !== undefined);
  if (row !== undefined) return row;
  const patterns = rows.map((one) => `  $KV.voxbus_${one.bucket}.${one.pattern}`).join("\n");
  throw new UsageError(`"${subject}" is not a key of a bucket of the contract. Its keys are:\n${patterns}`);
}

/** Decodes the JSON of an entry. Throws ProtocolError with the field and its limit. */
export function decodeEntry({ bucket, schema }: BucketRow, bytes: Uint8Array): unknown {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ProtocolError("bad-envelope", "value", "value: expected JSON", { cause });
  }
  // Readers leave out fields of a profile that are not valid.
  const { data, error } = (bucket === "profiles" ? OwnProfile.loose() : schema).safeParse(value);
  if (error !== undefined) {
    const problem = describeProblem(error);
    throw new ProtocolError("bad-envelope", problem.split(":", 1)[0] ?? "value", problem);
  }
  return data;
}

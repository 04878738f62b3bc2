import { isDeepStrictEqual } from "node:util";
import type { Bus } from "@voxbus/bus";
import { listSources, mergeLevels, readLevel, readLowerLevels, resolveProfile } from "@voxbus/presence";
import {
  buckets,
  defaultProfile,
  findUnknownVariables,
  groupProfile,
  levelOfProfile,
  nameProfile,
  OwnProfile,
  textVariables,
} from "@voxbus/protocol";
import { suggest } from "@voxbus/service";
import { jsonOption } from "../arguments.ts";
import { command, exitCodes, UsageError } from "../command.ts";
import { toJson } from "../json.ts";
import { readDevice, readName } from "../subjects.ts";
import { formatTable } from "../table.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Shows, changes and compares profiles. */
export const profiles = command({
  name: "profiles",
  summary: "Shows, changes or compares profiles",
  parameters: ["get|set|diff", "LEVEL", "[JSON|LEVEL]"],
  choices: ["get", "set", "diff"],
  options: { ...jsonOption },
  details: `
LEVEL is a device, group:NAME for the devices of a group, or fleet for all devices. get prints the fields that apply, and where
each comes from. set changes the fields in JSON and leaves the others; null removes one, so that a lower level or the default
applies. It holds from the next turn on. diff prints the fields in which two levels differ; the second one is fleet if it is
left out.

  voxbus profiles get kitchen
  voxbus profiles set kitchen '{"language": "de", "voice": null}'
  voxbus profiles set group:children '{"farewell": "Bye bye!"}'
  voxbus profiles diff kitchen hall`,
  async run({ parameters: [action, level = "", rest], options }, { connect, print }) {
    const id = readLevelName(level);
    if (action === "get") {
      if (rest !== undefined) throw new UsageError(`Unexpected argument "${rest}".`);
      const found = await readProfile(await connect(), id);
      if (options.json) print(toJson({ level, ...found }));
      else print(showProfile(found));
      return exitCodes.ok;
    }
    if (action === "set") {
      const changes = readChanges(rest);
      await changeProfile(await connect(), id, changes);
      const fields = Object.keys(changes);
      print(options.json ? toJson({ level, changed: fields }) : `${level}: changed ${fields.join(", ")}`);
      return exitCodes.ok;
    }
    const other = readLevelName(rest ?? fleet);
    const bus = await connect();
    const [left, right] = [await readProfile(bus, id), await readProfile(bus, other)];
    const differences = diff(left.profile, right.profile);
    if (options.json) for (const one of differences) print(toJson(one));
    else if (differences.length > 0)
      print(
        formatTable(
          ["field", level, rest ?? fleet],
          differences.map(({ field, left, right }) => [field, write(left), write(right)]),
        ),
      );
    return exitCodes.ok;
  },
});

const fleet = "fleet";
const groupPrefix = "group:";

/** Reads a level as the id of its entry. Throws UsageError. */
function readLevelName(level: string): string {
  if (level === fleet) return defaultProfile;
  if (level.startsWith(groupPrefix)) return groupProfile(readName(level.slice(groupPrefix.length), "the group"));
  return readDevice(level);
}

interface FoundProfile {
  /** The fields of the level itself. */
  readonly own: Fields;
  /** Names of its stored fields that are not valid, and do not apply. */
  readonly invalid: readonly string[];
  /** The fields that apply. */
  readonly profile: Fields;
  /** The level from which each field comes. A field within a map has a dot. */
  readonly from: Readonly<Record<string, string>>;
}

async function readProfile(bus: Bus, id: string): Promise<FoundProfile> {
  const { own, invalid } = await readLevel(bus, id);
  const levels = [...(await readLowerLevels(bus, id, own)), { source: nameProfile(id), own }];
  return { own, invalid, profile: resolveProfile(levels), from: listSources(levels) };
}

function showProfile({ profile, from, invalid }: FoundProfile): string {
  const rows = Object.entries(from).map(([field, source]) => [field, source, write(readField(profile, field))]);
  const note = invalid.length === 0 ? "" : `\n\nnot valid, and ignored: ${invalid.join(", ")}`;
  return formatTable(["field", "from", "value"], rows) + note;
}

function readField(fields: Fields, path: string): unknown {
  return path.split(".").reduce<unknown>((part, key) => (part as Fields | undefined)?.[key], fields);
}

function write(value: unknown): string {
  return value === undefined ? "-" : toJson(value);
}

/** Reads the changes of `set`: fields with their new values, or null. Throws UsageError that names a wrong field. */
function readChanges(text: string | undefined): Fields {
  if (text === undefined) throw new UsageError("JSON is missing.");
  const changes = parse(text);
  const known = Object.keys(OwnProfile.shape);
  for (const field of Object.keys(changes)) {
    if (known.includes(field)) continue;
    const meant = suggest(field, known);
    throw new UsageError(
      `"${field}" is not a field of a profile. ${meant === undefined ? `The fields are ${known.join(", ")}.` : `Did you mean ${meant}?`}`,
    );
  }
  const result = OwnProfile.strict().safeParse(dropNulls(changes));
  const problems = [
    ...(result.error?.issues ?? []).map(({ path, message }) => `${path.join(".") || "profile"}: ${message}.`),
    ...texts.flatMap((field) => findUnknownIn(field, changes[field])),
  ];
  if (problems.length > 0) throw new UsageError(problems.join(" "));
  return changes;
}

/** The fields whose texts may have variables. */
const texts = ["prompt", "greeting", "farewell"] as const;

function findUnknownIn(field: string, text: unknown): readonly string[] {
  const unknown = typeof text === "string" ? findUnknownVariables(text) : [];
  const known = textVariables.join(", ");
  return unknown.map((variable) => `${field}: there is no variable {${variable}}; the variables are ${known}.`);
}

/** Removes the fields that are null, within maps too, and maps that are empty then. */
function dropNulls(fields: Fields): Fields {
  const kept = Object.entries(fields).flatMap(([field, value]) => {
    if (value === null || value === undefined) return [];
    if (typeof value !== "object" || Array.isArray(value)) return [[field, value]];
    const inner = dropNulls(value as Fields);
    return Object.keys(inner).length > 0 ? [[field, inner]] : [];
  });
  return Object.fromEntries(kept) as Fields;
}

function parse(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new UsageError("JSON is not valid. Put it in single quotes.", { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value) || Object.keys(value).length === 0)
    throw new UsageError('JSON is an object of fields, such as {"language": "de"}.');
  return value as Fields;
}

async function changeProfile(bus: Bus, id: string, changes: Fields): Promise<void> {
  if (levelOfProfile(id)?.kind === "group" && ("group" in changes || "groups" in changes))
    throw new UsageError("A group is in no group: set group and groups of devices, or of the fleet.");
  await bus.bucket(buckets.profiles).modify(id, (stored) => {
    const merged = mergeLevels([{ own: stored?.own ?? {} }, { own: changes }]);
    return OwnProfile.parse(dropNulls(merged));
  });
}

function diff(left: Fields, right: Fields) {
  return [...new Set([...Object.keys(left), ...Object.keys(right)])]
    .filter((field) => !isDeepStrictEqual(left[field], right[field]))
    .map((field) => ({ field, left: left[field], right: right[field] }));
}

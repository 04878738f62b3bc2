import { envelopes, kinds as frameKinds } from "@voxbus/protocol";
import { allChannels, type NamedChannel } from "./subjects.ts";

/** The kinds of messages that are malformed, or that programs report as such. */
export const badKind = "bad";

const names = new Map<unknown, string>(
  Object.entries(envelopes).map(([name, schema]) => [schema, name.split(" ")[0] ?? name]),
);

/** Names a channel's messages as docs/bus.md names their envelope: `heard`, `in.text`, `out`; and `heard.partial`. */
export function kindOf({ row }: Pick<NamedChannel, "row">): string {
  const name = names.get(row.schema) ?? row.pattern;
  return row.pattern.endsWith(".partial") ? `${name}.partial` : name;
}

/** Every kind that messages can be selected by: envelopes, the kinds of frames, and `bad`. */
export const allKinds: readonly string[] = [...new Set([...allChannels.map(kindOf), ...frameKinds, badKind])];

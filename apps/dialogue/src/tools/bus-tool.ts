import { channels, isName, ToolMetadata, type BadMessage } from "@voxbus/protocol";
import type { EndpointInfo, ServiceInfo } from "@voxbus/bus";
import { loadArgumentSchemas, SchemaError } from "@voxbus/subscriber";
import type { Tool } from "../engines/engine.ts";

const { readArgumentSchema } = await loadArgumentSchemas();

/** The most characters of a problem. */
const maxProblem = 1024;

/** A tool that a program on the bus offers. */
export interface BusTool extends Tool, Pick<ToolMetadata, "timeoutMs" | "scope"> {
  readonly program: string;
  /** The semantic version of its program. */
  readonly version: string;
  /** The programs of a group share its calls. */
  readonly group: string;
  /** True if an action that has begun must not be cancelled. */
  readonly finishes: boolean;
  /** Gives the problems of arguments, or undefined if they fit its schema. */
  check(args: unknown): string | undefined;
}

/** The reasons for which a tool is not offered. */
export const skipReasons = ["name", "metadata", "schema", "program", "group", "limit"] as const;
export type SkipReason = (typeof skipReasons)[number];

/** A tool that cannot be offered, and why. `field` is that of the service's answer, `problem` tells what was expected. */
export interface SkippedTool {
  readonly program: string;
  readonly name: string;
  readonly reason: SkipReason;
  readonly field: string;
  readonly problem: string;
}

/** True for an endpoint that says that it is a tool. */
export function isTool({ metadata }: EndpointInfo): boolean {
  return metadata?.["voxbus"] === "tool";
}

/** Reads the tool that an endpoint describes. */
export function readBusTool(
  { name: program, version }: Pick<ServiceInfo, "name" | "version">,
  endpoint: EndpointInfo,
): BusTool | SkippedTool {
  const { name, subject, metadata, queue_group: group } = endpoint;
  const skip = (reason: SkipReason, field: string, problem: string): SkippedTool => {
    return { program, name: name.slice(0, 64), reason, field, problem };
  };
  if (!isName(name)) return skip("name", "name", "must be 1 to 64 characters of A-Z a-z 0-9 _ -");
  const expected = channels.tool(name).subject;
  if (subject !== expected) return skip("name", "subject", `must be ${expected}`);
  const read = ToolMetadata.safeParse(metadata);
  if (!read.success) {
    const [issue] = read.error.issues;
    return skip("metadata", issue?.path.join(".") ?? "", issue?.message ?? "");
  }
  const { description, schema, timeoutMs, scope, finishes } = read.data;
  try {
    const { schema: inputSchema, check } = readArgumentSchema(schema);
    const kind = { program, version, group: group ?? "", finishes: finishes === "true" };
    return { name, description, inputSchema, check, timeoutMs, scope, ...kind };
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    return skip("schema", "schema", error.message);
  }
}

/** Describes a skipped tool to the bus, as if its program had published a message that dialogue drops. */
export function describeSkipped({ program, name, reason, field, problem }: SkippedTool): BadMessage {
  const limit = problem.slice(0, maxProblem).toWellFormed();
  return { at: Date.now(), subject: channels.tool(name).subject, reason, field, limit, count: 1, publisher: program };
}

/** Compares two semantic versions: below 0 if the first is older. */
export function compareVersions(one: string, other: string): number {
  const numbers = (version: string) => version.split(/[-+]/)[0]?.split(".").map(Number) ?? [];
  const [ours, theirs] = [numbers(one), numbers(other)];
  const at = ours.findIndex((number, index) => number !== theirs[index]);
  if (at >= 0) return (ours[at] ?? 0) - (theirs[at] ?? 0);
  // A pre-release is older than its release.
  return Number(other.includes("-")) - Number(one.includes("-"));
}

import type { BusLog, EndpointInfo, ServiceInfo } from "@voxbus/bus";
import { groupsOf, matchesAny, type BadMessage, type OwnProfile } from "@voxbus/protocol";
import { compareVersions, describeSkipped, isTool, readBusTool, type BusTool, type SkippedTool } from "./bus-tool.ts";

/** A running program with tools. */
interface Instance {
  readonly service: Pick<ServiceInfo, "name" | "id">;
  /** Its answer as JSON, to see whether it has changed. */
  readonly text: string;
  readonly tools: ReadonlyMap<string, BusTool>;
  readonly skipped: readonly SkippedTool[];
  /** The time of its first answer, and of its last one (`performance.now()`, ms). */
  readonly foundAt: number;
  seenAt: number;
}

/** The fields of a profile that tell which tools its device is offered. */
type ToolProfile = Pick<OwnProfile, "tools" | "group" | "groups">;

/** Events of the table. */
export interface TableEvents {
  readonly log: Pick<BusLog, "warn" | "info">;
  /** Called once for each tool that a program offers in vain, with the error that tells the bus of it. */
  readonly onSkipped: (tool: SkippedTool, error: BadMessage) => void;
  /**
   * Called with each tool of a program that lost its connection. `others` is the time at which the first of the other programs with
   * the tool was found (`performance.now()`, ms), or Infinity.
   */
  readonly onLost: (name: string, others: number) => void;
}

/** The programs with tools, and the tools that they offer together. */
export interface ToolTable {
  /** Takes the answer of a program. */
  found(service: ServiceInfo): void;
  /** Takes out one tool of a program that no longer offers it. */
  ended(id: string, name: string): void;
  /** Takes out a program whose connection is gone. */
  lose(id: string): void;
  /** Takes out the programs that offer a tool: NATS says that none answers it. */
  unanswered(name: string): void;
  offeredTo(profile: ToolProfile): readonly BusTool[];
  find(name: string): BusTool | undefined;
  /** Lists the programs, all or those that offer a tool. */
  list(name?: string): readonly Pick<Instance, "service" | "seenAt">[];
  /** Names the tools. */
  toolNames(): Iterable<string>;
  /** The errors of the tools that programs offer in vain now. */
  skipped(): readonly BadMessage[];
}

const mostInstances = 1024;
const mostTools = 1024;
/** The most of them that are known of one program, so that others have room. */
const mostOfProgram = 256;
const mostOffered = 64;
const mostOfferedBytes = 65_536;
/** The tools are put together once for all answers of this time, ms. */
const togetherMs = 10;
const mostSkips = 1024;
const mostOffers = 1024;

/** Creates an empty table. */
export function createToolTable({ log, onSkipped, onLost }: TableEvents): ToolTable {
  const instances = new Map<string, Instance>();
  const skips = createSkips(log, onSkipped);
  let combined: ReadonlyMap<string, BusTool> = new Map();
  let offers = new Map<string, readonly BusTool[]>();
  let changed: NodeJS.Timeout | undefined;

  const read = () => {
    if (changed === undefined) return combined;
    clearTimeout(changed);
    changed = undefined;
    const before = combined;
    const { tools, skipped } = combine([...instances.values()]);
    combined = tools;
    skips.update(skipped);
    offers = new Map();
    for (const name of combined.keys()) if (!before.has(name)) log.info({ tool: name }, "tool found");
    for (const name of before.keys()) if (!combined.has(name)) log.info({ tool: name }, "tool gone");
    return combined;
  };
  const list = (name?: string) => [...instances.values()].filter(({ tools }) => name === undefined || tools.has(name));
  const update = () => void (changed ??= setTimeout(read, togetherMs).unref());
  const remove = (id: string) => {
    if (instances.delete(id)) update();
  };

  return {
    found(service) {
      const { name, id, version, endpoints } = service;
      const offered = endpoints?.filter(isTool) ?? [];
      if (offered.length === 0) return remove(id);
      const known = instances.get(id);
      const text = JSON.stringify([version, offered]);
      if (known?.text === text) return void (known.seenAt = performance.now());
      if (known === undefined && instances.size >= mostInstances)
        return void skips.report({ program: name, name: offered[0]?.name ?? "", ...beyondLimit });
      const now = performance.now();
      const times = { foundAt: known?.foundAt ?? now, seenAt: now };
      instances.set(id, { service: { name, id }, text, ...readTools(service, offered), ...times });
      return update();
    },
    ended(id, name) {
      const known = instances.get(id);
      if (known === undefined || !known.tools.has(name)) return;
      const rest = new Map([...known.tools].filter(([one]) => one !== name));
      instances.set(id, { ...known, text: "", tools: rest });
      update();
    },
    lose(id) {
      const lost = instances.get(id);
      remove(id);
      for (const name of lost?.tools.keys() ?? []) onLost(name, Math.min(...list(name).map(({ foundAt }) => foundAt)));
    },
    unanswered(name) {
      for (const [id, { tools: own }] of instances) if (own.has(name)) instances.delete(id);
      update();
    },
    offeredTo(profile) {
      const { tools: allowed } = profile;
      const groups = groupsOf(profile);
      const tools = read();
      const key = JSON.stringify([allowed, groups]);
      let offered = offers.get(key);
      if (offered !== undefined) return offered;
      const fits = [...tools.values()].filter((tool) => allowsTool(profile, tool));
      offered = shareOut(fits);
      if (fits.length > offered.length)
        log.warn({ groups, allowed: fits.length, offered: offered.length }, "tools left out, too many for a model");
      if (offers.size >= mostOffers) offers.clear();
      offers.set(key, offered);
      return offered;
    },
    find: (name) => read().get(name),
    list,
    toolNames: () => read().keys(),
    skipped: skips.current,
  };
}

/** Tells whether a device may call a tool, by the list of names in its profile and by the tool's scope. */
export function allowsTool(profile: ToolProfile, { name, scope }: BusTool): boolean {
  const { tools } = profile;
  if (tools !== undefined && !matchesAny(name, tools)) return false;
  return scope === undefined || groupsOf(profile).some((group) => scope.includes(group));
}

/**
 * Chooses the tools that fit into a request to a model, and sorts them by name. Programs get equal shares: a tool comes the sooner
 * the less its program has taken with the tools before it, of their number or of their bytes.
 */
function shareOut(tools: readonly BusTool[]): readonly BusTool[] {
  const sums = new Map<string, { count: number; bytes: number }>();
  const ranked = tools.toSorted(byName).map((tool) => {
    const bytes = Buffer.byteLength(JSON.stringify([tool.name, tool.description, tool.inputSchema]));
    const sum = sums.get(tool.program) ?? { count: 0, bytes: 0 };
    sum.count += 1;
    sum.bytes += bytes;
    sums.set(tool.program, sum);
    return { tool, bytes, share: Math.max(sum.count / mostOffered, sum.bytes / mostOfferedBytes) };
  });
  let left = mostOfferedBytes;
  const chosen: BusTool[] = [];
  for (const { tool, bytes } of ranked.toSorted((a, b) => a.share - b.share)) {
    if (bytes > left || chosen.length >= mostOffered) continue;
    left -= bytes;
    chosen.push(tool);
  }
  return chosen.toSorted(byName);
}

function byName(a: BusTool, b: BusTool): number {
  return a.name < b.name ? -1 : 1;
}

function readTools(service: ServiceInfo, offered: readonly EndpointInfo[]): Pick<Instance, "tools" | "skipped"> {
  const tools = new Map<string, BusTool>();
  const skipped = new Map<string, SkippedTool>();
  for (const endpoint of offered) {
    const read = readBusTool(service, endpoint);
    const { program, name } = read;
    if ("reason" in read) skipped.set(name, read);
    else if (tools.has(name) || skipped.has(name))
      skipped.set(name, { program, name, reason: "name", field: "name", problem: "must be offered by one endpoint" });
    else tools.set(name, read);
  }
  // NATS would give a call to any of its endpoints.
  for (const name of skipped.keys()) tools.delete(name);
  return { tools, skipped: [...skipped.values()] };
}

/** Creates the report of tools that are offered in vain. Each is reported once. */
function createSkips(log: TableEvents["log"], onSkipped: TableEvents["onSkipped"]) {
  const known = new Map<string, BadMessage>();
  let current: readonly BadMessage[] = [];
  const report = (tool: SkippedTool): BadMessage | undefined => {
    const { program, name, reason, field, problem } = tool;
    const key = `${program} ${name} ${reason} ${problem}`;
    if (known.has(key) || known.size >= mostSkips) return known.get(key);
    const error = describeSkipped(tool);
    known.set(key, error);
    log.warn({ service: program, tool: name, reason, field, problem }, "tool skipped");
    onSkipped(tool, error);
    return error;
  };
  return {
    report,
    update: (skipped: readonly SkippedTool[]) =>
      void (current = [...new Set(skipped.flatMap((tool) => report(tool) ?? []))]),
    current: () => current,
  };
}

/** Makes one tool of those with the same name: the newest version. If they are not one program's, none of them is offered. */
function combine(instances: readonly Instance[]): Pick<Instance, "tools" | "skipped"> {
  const skipped = instances.flatMap((instance) => instance.skipped);
  const tools = new Map<string, BusTool>();
  const split = new Set<string>();
  const counts = new Map<string, number>();
  for (const { service, tools: own } of instances.toSorted((a, b) => (a.service.id < b.service.id ? -1 : 1))) {
    for (const [name, tool] of own) {
      const known = tools.get(name);
      const conflict = known && findConflict(known, tool);
      const count = counts.get(service.name) ?? 0;
      if (known === undefined && (tools.size >= mostTools || count >= mostOfProgram))
        skipped.push({ program: service.name, name, ...beyondLimit });
      else if (conflict !== undefined) {
        split.add(name);
        skipped.push({ ...conflict, program: known!.program, name }, { ...conflict, program: tool.program, name });
      } else if (known === undefined || compareVersions(known.version, tool.version) < 0) {
        if (known === undefined) counts.set(service.name, count + 1);
        tools.set(name, tool);
      }
    }
  }
  for (const name of split) tools.delete(name);
  return { tools, skipped };
}

/** The report of a tool that is one too many. */
const beyondLimit = {
  reason: "limit",
  field: "name",
  problem: `at most ${mostTools} tools, ${mostOfProgram} of one program, and ${mostInstances} programs are known`,
} as const;

/** Finds why two tools with the same name cannot be one. NATS gives a call to any program of a group, and to one of each group. */
function findConflict(one: BusTool, other: BusTool): Omit<SkippedTool, "program" | "name"> | undefined {
  if (one.program !== other.program)
    return { reason: "program", field: "name", problem: `is offered by ${one.program} and by ${other.program}` };
  if (one.group !== other.group)
    return { reason: "group", field: "queue_group", problem: "expected one group for all processes" };
  return undefined;
}

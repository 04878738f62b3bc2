import type { Bus, Closer } from "@voxbus/subscriber";
import type { ServiceInfo } from "@voxbus/bus";
import QuickLRU from "quick-lru";
import type { ChannelView, ServiceView } from "./service-view.ts";

const everyMs = 10_000;
/** A service that did not answer three times is gone, ms. */
const goneMs = 35_000;
const maxInstances = 4000;
/** The most programs, channels and tools that are shown, and channels of one program in each direction. */
const mostShown = 200;
const mostUsed = 64;
/** The most characters of what a process tells in one field. A program of `libs/subscriber` tells 64 channels. */
const maxField = 4096;

/** The programs of the system, as NATS's services API shows them. */
export interface Services extends Closer {
  /** The programs that answered lately, by name. */
  list(): readonly ServiceView[];
}

/** Asks for the programs every 10 s, and at once. */
export function discoverServices(bus: Pick<Bus, "discover">): Services {
  const known = new QuickLRU<string, { readonly service: ServiceInfo; readonly at: number }>({
    maxSize: maxInstances,
  });
  const discovery = bus.discover((service) =>
    known.set(service.id, { service: condense(service), at: performance.now() }),
  );
  const timer = setInterval(() => discovery.ask(), everyMs);
  timer.unref();
  discovery.ask();
  return {
    list: () => {
      const found = [...known.values()].filter(({ at }) => performance.now() - at < goneMs);
      return mergeServices(found.map(({ service }) => service));
    },
    close() {
      clearInterval(timer);
      discovery.close();
    },
  };
}

/** Keeps of a process's answer, which may have a megabyte, only what is shown. */
function condense({ type, name, id, version, metadata, endpoints }: ServiceInfo): ServiceInfo {
  const told = Object.entries(metadata ?? {}).filter(([key]) => shown.has(key));
  return {
    type,
    name,
    id,
    version,
    metadata: Object.fromEntries(told.map(([key, value]) => [key, cut(value)])),
    endpoints: endpoints?.slice(0, mostShown).map((endpoint) => ({ name: endpoint.name, subject: "" })),
  };
}

const shown: ReadonlySet<string> = new Set(["voxbus", "owner", "link", "consumes", "produces"]);

function cut(text: string): string {
  // A slice alone would hold the whole text in memory.
  return text.length <= maxField ? text : Buffer.from(text.slice(0, maxField)).toString();
}

/** Puts the processes of each program together. Other services of the account, without a tool or a channel of ours, are left out. */
export function mergeServices(services: readonly ServiceInfo[]): readonly ServiceView[] {
  const byName = new Map<string, ServiceInfo[]>();
  for (const service of services) {
    const isOurs = service.metadata?.["voxbus"] === "program" || (service.endpoints?.length ?? 0) > 0;
    if (!isOurs) continue;
    const same = byName.get(service.name);
    if (same === undefined) byName.set(service.name, [service]);
    else same.push(service);
  }
  return [...byName]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, mostShown)
    .map(([name, all]) => {
      const listed = (key: string) =>
        sortUnique(all.flatMap(({ metadata }) => metadata?.[key]?.split(",") ?? [])).slice(0, mostUsed);
      const [owner, link] = ["owner", "link"].map(
        (key) => all.find(({ metadata }) => metadata?.[key])?.metadata?.[key],
      );
      return {
        name,
        versions: sortUnique(all.map(({ version }) => version)).filter((version) => version !== "0.0.0"),
        instances: all.length,
        owner: owner?.slice(0, 128),
        link: link !== undefined && /^https?:\/\//.test(link) ? link.slice(0, 512) : undefined,
        consumes: listed("consumes"),
        produces: listed("produces"),
        tools: sortUnique(all.flatMap(({ endpoints }) => endpoints?.map((endpoint) => endpoint.name) ?? [])),
      };
    });
}

/** Maps who listens to whom: each channel on which a program publishes or listens. */
export function mapChannels(services: readonly ServiceView[]): readonly ChannelView[] {
  const channels = sortUnique(services.flatMap(({ produces, consumes }) => [...produces, ...consumes]));
  const listeners = services.map(({ name, consumes }) => ({ name, patterns: consumes.map((one) => one.split(".")) }));
  return channels
    .filter((channel) => !channel.split(".").some((token) => token === "*" || token === ">"))
    .slice(0, mostShown)
    .map((channel) => {
      const given = channel.split(".");
      const to = listeners.filter(({ patterns }) => patterns.some((wanted) => covers(wanted, given)));
      return {
        channel,
        from: services.filter(({ produces }) => produces.includes(channel)).map(({ name }) => name),
        to: to.map(({ name }) => name),
      };
    });
}

/** True if a pattern, such as `device.<id>.in.>`, has the messages of a channel. Both are split into their tokens. */
function covers(wanted: readonly string[], given: readonly string[]): boolean {
  const isTail = wanted.at(-1) === ">";
  if (isTail ? given.length < wanted.length : given.length !== wanted.length) return false;
  const tokens = isTail ? wanted.slice(0, -1) : wanted;
  return tokens.every((token, at) => token === given[at] || token === "*" || /^<\w+>$/.test(token));
}

function sortUnique(values: readonly string[]): readonly string[] {
  return [...new Set(values.filter(Boolean))].toSorted().slice(0, mostShown);
}

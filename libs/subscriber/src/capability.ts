import type { Bus } from "@voxbus/bus";

/** The most channels that are listed in each direction. */
const mostChannels = 64;

/** The channels that a program has used so far, by their patterns: `device.<id>.heard`, … */
export interface Traffic {
  readonly consumes: ReadonlySet<string>;
  readonly produces: ReadonlySet<string>;
}

/** Notes which channels a program uses. */
export function watchTraffic(bus: Bus): { readonly bus: Bus; readonly traffic: Traffic } {
  const consumes = new Set<string>();
  const produces = new Set<string>();
  // This runs for every message, and a set that has the pattern already costs next to nothing.
  const note = (patterns: Set<string>, pattern: string) => {
    if (!patterns.has(pattern) && patterns.size < mostChannels) patterns.add(pattern);
  };
  return {
    traffic: { consumes, produces },
    bus: {
      ...bus,
      publish(channel, envelope, trace) {
        note(produces, channel.pattern);
        bus.publish(channel, envelope, trace);
      },
      store(channel, envelope, options, signal) {
        note(produces, channel.pattern);
        return bus.store(channel, envelope, options, signal);
      },
      request(channel, envelope, options, signal) {
        note(produces, channel.pattern);
        return bus.request(channel, envelope, options, signal);
      },
      subscribe(channel, handler, options) {
        note(consumes, channel.pattern);
        return bus.subscribe(channel, handler, options);
      },
      subscribeRaw(pattern, handler) {
        note(consumes, pattern);
        return bus.subscribeRaw(pattern, handler);
      },
      respond(channel, handler) {
        note(consumes, channel.pattern);
        return bus.respond(channel, handler);
      },
      claim(options) {
        note(consumes, options.channel.pattern);
        return bus.claim(options);
      },
      follow(options) {
        note(consumes, "device.<id>.in.>");
        return bus.follow(options);
      },
    },
  };
}

/** The owner of a program, for those who discover it. */
export interface Ownership {
  /** The team or person to ask about the program, at most 128 characters. */
  readonly owner?: string;
  /** The address of its page or source: an http or https URL of at most 512 characters. */
  readonly link?: string;
}

/** Checks who owns a program. Returns a sentence for each problem. */
export function checkOwnership({ owner = "", link }: Ownership): readonly string[] {
  const problems: string[] = [];
  if (owner.length > 128) problems.push("owner of the program: expected at most 128 characters");
  if (link !== undefined && (link.length > 512 || !/^https?:/.test(link) || !URL.canParse(link)))
    problems.push("link of the program: expected an http or https URL of at most 512 characters");
  return problems;
}

/** Describes a program to those who discover it: the metadata of its service. */
export function describeCapability({ owner, link }: Ownership, { consumes, produces }: Traffic) {
  return {
    voxbus: "program",
    ...(owner !== undefined && { owner }),
    ...(link !== undefined && { link }),
    consumes: [...consumes].toSorted().join(","),
    produces: [...produces].toSorted().join(","),
  };
}

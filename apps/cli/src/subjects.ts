import {
  channels,
  hasShadow,
  parseDeviceId,
  parseName,
  ProtocolError,
  shadowOf,
  shadowPattern,
  storedPattern,
  type Channel,
  type Delivery,
} from "@voxbus/protocol";
import type { z } from "zod";
import { UsageError } from "./command.ts";

type Row = (typeof channels)[keyof typeof channels];

/** A channel whose envelope is known only at run time. One on which requests are answered has the schema of the answer. */
export interface AnyChannel extends Channel {
  readonly answer?: z.ZodType;
}

/** A channel of the contract with its name in the table. */
export interface NamedChannel {
  readonly key: string;
  readonly row: Row;
  /** The subject with `*` in place of ids. */
  readonly subject: string;
}

/** The channels on which messages travel. A view is left out: its messages come on the channels that it shows. */
export const allChannels: readonly NamedChannel[] = Object.entries(channels)
  .filter(([, { delivery }]) => (delivery as Delivery) !== "view")
  .map(([key, row]) => ({ key, row, subject: row().subject }));

const storedPrefix = storedPattern.replace("<subject>", "");

const shadowPrefix = shadowPattern.replace("<name>", "*").replace("<subject>", "");

/** Splits a subject of a shadow into the shadow's name and the subject of the real program. Gives undefined for any other. */
function splitShadow(subject: string): { readonly name: string; readonly own: string } | undefined {
  const [first = "", name = "", ...own] = subject.split(".");
  return shadowPrefix === `${first}.*.` && own.length > 0 ? { name, own: own.join(".") } : undefined;
}

/** The subject without `stored.`, under which the stream publishes again what it stored. */
export function plainSubject(subject: string): string {
  return subject.startsWith(storedPrefix) ? subject.slice(storedPrefix.length) : subject;
}

/** Finds the channel of a subject, or undefined if it is not one of the contract. */
export function findChannel(subject: string): NamedChannel | undefined {
  const shadow = splitShadow(subject);
  const plain = shadow?.own ?? plainSubject(subject);
  const channel = allChannels.find((channel) => intersect(plain, channel.subject) === plain);
  return shadow === undefined || (channel && hasShadow(channel.row)) ? channel : undefined;
}

/**
 * Finds the channel of a subject without wildcards, with its id as it stands in subjects. Throws UsageError that lists the
 * subjects of the contract, or names the limit of an id.
 */
export function requireChannel(subject: string): AnyChannel {
  const row = /[*>\s]/.test(subject) ? undefined : findChannel(subject)?.row;
  if (row === undefined) {
    throw new UsageError(`"${subject}" is not a subject of the contract. Its subjects are:\n${listPatterns()}`);
  }
  const shadow = splitShadow(subject);
  const channel = fillId(row, shadow?.own ?? plainSubject(subject));
  return shadow === undefined ? channel : shadowOf(channel, readName(shadow.name, "the name of the shadow"));
}

/** Gives the channel of a row with the id that stands in a subject. Throws UsageError that names the limit of the id. */
function fillId(row: Row, subject: string): AnyChannel {
  const at = row.pattern.split(".").findIndex((token) => token.startsWith("<"));
  if (at === -1) return row();
  const id = subject.split(".")[at] ?? "";
  return row(row.pattern.startsWith("device.") ? readDevice(id) : readName(id));
}

function listPatterns(): string {
  return allChannels.map(({ row }) => `  ${row.pattern}`).join("\n");
}

/** Gives a device id as it stands in subjects. Throws UsageError that names the limit. */
export function readDevice(raw: string): string {
  return readId(() => parseDeviceId(raw));
}

/** Gives the id of a gateway, a group or a program as it stands in subjects. Throws UsageError that names the limit. */
export function readName(raw: string, what = "the id in the subject"): string {
  return readId(() => parseName(raw, what));
}

function readId(parse: () => string): string {
  try {
    return parse();
  } catch (cause) {
    if (cause instanceof ProtocolError) throw new UsageError(`${cause.message}.`, { cause });
    throw cause;
  }
}

/**
 * Lists what to subscribe to for the messages of a pattern: the part of each channel that fits it. A user of NATS may be
 * permitted some of these and not the whole pattern. Of what the stream `TURNS` stores, it names the copies that the
 * stream publishes. All that shadows publish is one part. With `device`, it leaves out the subjects of other devices.
 * Throws UsageError when no subject of the contract fits the pattern.
 */
export function listSubscriptions(pattern: string, device = "*"): readonly string[] {
  const isValid = /^[^\s.]+(?:\.[^\s.]+)*$/.test(pattern) && !/>./.test(pattern);
  if (!isValid)
    throw new UsageError(`"${pattern}" is not a pattern of subjects, as in device.kitchen.> or device.*.heard`);
  const onlyStored = pattern.startsWith(storedPrefix);
  const ofDevice = (subject: string) =>
    subject.startsWith("device.") ? intersect(subject, `device.${device}.>`) : subject;
  const found = allChannels.flatMap(({ row, subject }) => {
    const own = ofDevice(subject);
    const part = own && intersect(plainSubject(pattern), own);
    const isStored = (row.delivery as Delivery) === "TURNS";
    if (part === undefined || (onlyStored && !isStored)) return [];
    return [isStored ? storedPrefix + part : part];
  });
  const shadows = intersect(pattern, `${shadowPrefix}${device === "*" ? "" : `device.${device}.`}>`);
  const isShadows = ({ row, subject }: NamedChannel) => {
    const own = ofDevice(subject);
    return own !== undefined && hasShadow(row) && intersect(pattern, shadowPrefix + own) !== undefined;
  };
  if (shadows !== undefined && allChannels.some(isShadows)) found.push(shadows);
  if (found.length > 0) return found;
  throw new UsageError(`no subject of the contract fits "${pattern}". Its subjects are:\n${listPatterns()}`);
}

/** Gives the pattern of the subjects that fit both patterns, or undefined if none does. */
export function intersect(one: string, other: string): string | undefined {
  const [some, others] = [one.split("."), other.split(".")];
  const common: string[] = [];
  for (let at = 0; ; at += 1) {
    const [a, b] = [some[at], others[at]];
    if (a === undefined && b === undefined) return common.join(".");
    if (a === undefined || b === undefined) return undefined;
    if (a === ">") return [...common, ...others.slice(at)].join(".");
    if (b === ">") return [...common, ...some.slice(at)].join(".");
    if (a !== b && a !== "*" && b !== "*") return undefined;
    common.push(a === "*" ? b : a);
  }
}

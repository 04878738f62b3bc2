import { z } from "zod";
import { limitTable } from "./limit-table.ts";

type Table = typeof limitTable;
type Settable = { [K in keyof Table]: Table[K] extends { readonly variable: string } ? K : never }[keyof Table];
type Schema = ReturnType<typeof toSchema>;

/** Limits that operators set, by name. */
export type Limits = { readonly [K in Settable]: number };

function toSchema({ range: [least, most], default: fallback, unit, what, beyond }: Table[Settable]) {
  const number = z.coerce.number().int().min(least).max(most);
  return number.default(fallback).describe(`${unit} ${what}; beyond: ${beyond}`);
}

const settable = Object.entries(limitTable).flatMap(([name, row]) =>
  "variable" in row ? [[name as Settable, row] as const] : [],
);

/** The variables of the limits, for the gateway's configuration. */
export const limitsConfig = Object.fromEntries(settable.map(([, row]) => [row.variable, toSchema(row)])) as {
  readonly [K in Settable as Table[K]["variable"]]: Schema;
};

/** Gives the limits that a configuration sets. */
export function readLimits(config: Readonly<Record<keyof typeof limitsConfig, number>>): Limits {
  return Object.fromEntries(settable.map(([name, row]) => [name, config[row.variable]])) as Limits;
}

/** Limits that are the same everywhere, by name. */
export const fixedLimits = Object.fromEntries(
  Object.entries(limitTable).flatMap(([name, row]) => ("variable" in row ? [] : [[name, row.default]])),
) as { readonly [K in Exclude<keyof Table, Settable>]: number };

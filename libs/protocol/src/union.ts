import { z } from "zod";

/** Makes the schema of a union from a table of its members by `type`. */
export function unionByType<T extends Readonly<Record<string, z.ZodObject>>>(members: T) {
  return z.discriminatedUnion("type", Object.values(members) as unknown as [T[keyof T], ...T[keyof T][]]);
}

import { mergeLevels } from "@voxbus/presence";
import { findUnknownVariables, OwnProfile, textVariables } from "@voxbus/protocol";
import { z } from "zod";

type Shape = (typeof OwnProfile)["shape"];
type Values = Readonly<Record<string, unknown>>;

/** The fields whose texts may have variables. */
const texts = ["prompt", "greeting", "farewell"] as const;

/** The fields that a level may set. Unknown fields are refused, within maps too, and so are unknown variables of texts. */
export const LevelFields = refuseUnknown(OwnProfile.shape);

/** The same for a group, which is in no group itself. */
export const GroupFields = refuseUnknown(OwnProfile.omit({ group: true, groups: true }).shape);

/** A change of the fields that a level sets: null removes one. */
export const LevelPatch = allowNull(LevelFields);

/** The same for a group. */
export const GroupPatch = allowNull(GroupFields);

/** Changes fields: a map is changed field by field, and null removes a field. */
export function applyPatch(own: OwnProfile, patch: Values): OwnProfile {
  return leaveOutNull(mergeLevels([{ own }, { own: patch }]));
}

function leaveOutNull(values: Values): Values {
  const kept = Object.entries(values).flatMap(([field, value]) => {
    if (value === null) return [];
    if (typeof value !== "object" || Array.isArray(value)) return [[field, value] as const];
    const inner = leaveOutNull(value as Values);
    return Object.keys(inner).length > 0 ? [[field, inner] as const] : [];
  });
  return Object.fromEntries(kept);
}

function refuseUnknown(shape: Partial<Shape>): z.ZodObject<Shape> {
  const fields = Object.entries(shape).map(([name, field]) => {
    const inner = field.unwrap();
    return [name, inner instanceof z.ZodObject ? describe(z.strictObject(inner.shape).optional(), field) : field];
  });
  return z.strictObject(Object.fromEntries(fields)).superRefine(checkTexts) as unknown as z.ZodObject<Shape>;
}

function allowNull({ shape }: z.ZodObject<Shape>): z.ZodObject {
  const orNull = (field: z.ZodType): z.ZodType => {
    const inner = field instanceof z.ZodOptional ? (field.unwrap() as z.ZodType) : field;
    const open =
      inner instanceof z.ZodObject ? z.strictObject(mapShape(inner.shape as z.core.$ZodShape, orNull)) : inner;
    return describe(open.nullable().optional(), field);
  };
  return z.strictObject(mapShape(shape, orNull)).superRefine(checkTexts);
}

function mapShape(shape: z.core.$ZodShape, change: (field: z.ZodType) => z.ZodType): Record<string, z.ZodType> {
  return Object.fromEntries(Object.entries(shape).map(([name, field]) => [name, change(field as z.ZodType)]));
}

function describe(schema: z.ZodType, { description }: z.ZodType): z.ZodType {
  return description === undefined ? schema : schema.describe(description);
}

function checkTexts(fields: Values, context: z.RefinementCtx): void {
  for (const name of texts) {
    const text = fields[name];
    const unknown = typeof text === "string" ? findUnknownVariables(text).map((word) => `{${word}}`) : [];
    if (unknown.length === 0) continue;
    const known = textVariables.map((word) => `{${word}}`).join(" ");
    const message = `unknown variables: ${unknown.join(" ")}; there are ${known}, and {{word}} for {word} itself`;
    context.addIssue({ code: "custom", path: [name], message });
  }
}

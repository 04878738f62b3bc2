import { createHash } from "node:crypto";
import { z } from "zod";

/** The file in the folder of images that says who gets which. */
export const rulesFile = "firmware.json";

/** The rule of an image: the devices of its board that get it, and whether it replaces a newer one. */
export interface Rule {
  /** Percent of the devices. */
  readonly share: number;
  /** Names of groups; undefined: devices of every group, and of none. */
  readonly groups?: readonly string[] | undefined;
  readonly force: boolean;
}

const usualRule: Rule = { share: 100, force: false };

/** The rules of a folder by image, as `board/version.bin`. Those of `*` apply where an image has none of its own. */
const Rules = z.record(
  z.string().max(160),
  z.strictObject({
    share: z.number().min(0).max(100).optional(),
    groups: z.array(z.string().min(1).max(64)).max(1024).optional(),
    force: z.boolean().optional(),
  }),
);
export type Rules = z.infer<typeof Rules>;

/** Reads the rules of a folder from the text of the file at `path`. Throws an error that names it and the field. */
export function parseRules(path: string, text: string): Rules {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path} is not JSON`, { cause });
  }
  const { data, error } = Rules.safeParse(json);
  if (data !== undefined) return data;
  const [problem] = error.issues;
  throw new Error(`${path}: ${problem?.path.join(".")}: ${problem?.message}`);
}

/** Gives the rule of the image `name`. */
export function ruleOf(rules: Rules, name: string): Rule {
  return { ...usualRule, ...rules["*"], ...rules[name] };
}

/**
 * Tells whether a device is in a share of the fleet, in percent. It depends on the device's id alone: a device of a small
 * share is in every larger one, and with every image the same devices come first.
 */
export function isInShare(device: string, share: number): boolean {
  const place = createHash("sha256").update(`firmware ${device}`).digest().readUInt32BE(0) / 2 ** 32;
  return place * 100 < share;
}

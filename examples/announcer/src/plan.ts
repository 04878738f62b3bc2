import { readFileSync } from "node:fs";
import { ConfigError, emotions, z } from "@voxbus/subscriber";

const weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const clockTime = /^(?:\d{4}-\d{2}-\d{2}T)?(?:[01]\d|2[0-3]):[0-5]\d$/;

/** An announcement of the plan. */
const Announcement = z.strictObject({
  /** `07:30` on every day, or once at `2026-12-24T18:00`. */
  at: z.string().regex(clockTime, "expected a time such as 07:30 or 2026-12-24T18:00"),
  /** The days of the week; absent: every day. */
  days: z.array(z.enum(weekdays)).min(1).optional(),
  /** IANA time zone; absent: that of each device's profile. */
  timeZone: z.string().refine(isTimeZone, "expected an IANA time zone such as Europe/Berlin").optional(),
  /** The group of the devices' profiles; absent: every device. */
  group: z
    .string()
    .regex(/^[\w-]{1,64}$/, "expected 1 to 64 characters of A-Z a-z 0-9 _ -")
    .optional(),
  text: z.string().trim().min(1).max(2000),
  language: z.string().refine(isLanguage, "expected a BCP 47 language such as en or zh-CN").optional(),
  emotion: z.enum(emotions).optional(),
});
export type Announcement = z.infer<typeof Announcement>;

const Plan = z.array(Announcement).max(200);

/** Reads a plan: a JSON list of announcements. Throws ConfigError, which names each field that is not valid. */
export function readPlan(path: string): readonly Announcement[] {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new ConfigError([
      `VOXBUS_ANNOUNCER_PLAN: ${path} ${isAbsent ? "does not exist" : "is not readable as JSON"}`,
    ]);
  }
  const plan = Plan.safeParse(json);
  if (plan.success) return plan.data;
  const describe = ({ path, message }: z.core.$ZodIssue) => `${path.join(".") || "the file"}: ${message}`;
  throw new ConfigError(plan.error.issues.map((issue) => `VOXBUS_ANNOUNCER_PLAN: ${describe(issue)}`));
}

function isTimeZone(timeZone: string): boolean {
  return isKnown(() => new Intl.DateTimeFormat("en", { timeZone }));
}

function isLanguage(language: string): boolean {
  return isKnown(() => new Intl.Locale(language));
}

function isKnown(make: () => unknown): boolean {
  try {
    make();
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

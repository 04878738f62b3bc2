import { Alert, Stats } from "@voxbus/protocol";
import { z } from "zod";
import type { Alerting } from "../alerts/alerting.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import type { Measurements } from "../measurements/measurements.ts";
import { lostMs } from "../measurements/programs.ts";
import { averagedPoints, keptPoints } from "../measurements/series.ts";

const SeriesShown = z.object({
  metric: z.string().describe("what is measured"),
  subject: z.string().describe("the target: a gateway's id, PROGRAM-INSTANCE, DURABLE-STREAM of a consumer, or fleet"),
  value: z.number().describe("at the last measurement"),
  average: z.number().describe(`mean of the last ${averagedPoints} points`),
  points: z
    .array(z.tuple([z.number(), z.number()]))
    .optional()
    .describe("[ms since the epoch, value], oldest first"),
});

const StatsQuery = z
  .strictObject({
    metric: z.string().max(64).optional().describe("only this metric"),
    subject: z.string().max(200).optional().describe("only of this subject"),
    points: z.coerce
      .number()
      .int()
      .min(0)
      .max(keptPoints)
      .default(0)
      .describe("newest points of each series; needs a metric or a subject"),
  })
  .refine(({ points, metric = "", subject = "" }) => points === 0 || metric !== "" || subject !== "", {
    path: ["points"],
    message: "needs a metric or a subject: all of the history is too much for one answer",
  });

type Point = [at: number, value: number];

const round = (value: number) => Math.round(value * 1000) / 1000;

/** Adds the routes that show what the monitor measures, and its alerts. */
export function addMeasurementRoutes(
  app: App,
  parts: { readonly measurements: Measurements; readonly alerting: Alerting; readonly intervalMs: number },
): void {
  const { measurements, alerting, intervalMs } = parts;
  const { history, programs } = measurements;
  addRoute(app, "get", "/api/stats", {
    summary: "What was measured: the last value, the average, and if asked for the history",
    query: StatsQuery,
    answer: z.object({
      active: z.boolean().describe("true if this monitor is the one that raises alerts"),
      interval: z.number().describe("ms between two points"),
      series: z.array(SeriesShown),
    }),
    problems: ["bad-field"],
    handle: ({ query: { metric, subject, points } }) => {
      const series = [...history.all()]
        .filter((series) => (metric ?? series.metric) === series.metric)
        .filter((series) => (subject ?? series.target) === series.target)
        .map((series) => ({
          metric: series.metric,
          subject: series.target,
          value: round(series.newest(1)[0]?.[1] ?? 0),
          average: round(series.average()),
          ...(points > 0 ? { points: series.newest(points).map(([at, value]): Point => [at, round(value)]) } : {}),
        }));
      return { active: alerting.active(), interval: intervalMs, series };
    },
  });

  addRoute(app, "get", "/api/programs", {
    summary: "Every process that runs, with its own numbers, and those that fell silent",
    answer: z.object({
      programs: z.array(
        Stats.extend({
          lost: z.boolean().describe(`true if it has sent no report for ${lostMs / 1000} s`),
        }),
      ),
    }),
    problems: [],
    handle: () => ({ programs: programs.list().map(({ stats, lost }) => ({ ...stats, lost })) }),
  });

  addRoute(app, "get", "/api/alerts", {
    summary: "Alerts that stand, then those of the last day that are over",
    query: z.strictObject({
      open: z
        .enum(["true", "false"])
        .optional()
        .describe("true: only those that stand; false: only those that are resolved"),
    }),
    answer: z.object({
      alerts: z.array(
        Alert.extend({
          raisedAt: z.number().describe("ms since the epoch at which it began"),
          runbook: z.string().describe("the link to its section of the runbook"),
        }),
      ),
    }),
    problems: ["bad-field"],
    handle: ({ query: { open } }) => {
      const shown = alerting.alerts
        .list()
        .filter(({ resolved }) => open === undefined || resolved === (open === "false"));
      return { alerts: shown };
    },
  });
}

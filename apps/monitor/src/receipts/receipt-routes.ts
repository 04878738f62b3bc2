import { turnOutcomes, type TurnOutcome } from "@voxbus/protocol";
import { z } from "zod";
import { Name } from "../http/params.ts";
import { Problem } from "../http/problems.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { receiptResults, type ReceiptBook, type ReceiptResult } from "./receipt-book.ts";

const maxWaitS = 60;
const results = Object.keys(receiptResults) as [ReceiptResult, ...ReceiptResult[]];
const outcomes = Object.keys(turnOutcomes) as [TurnOutcome, ...TurnOutcome[]];

const Query = z.strictObject({
  wait: z
    .string()
    .regex(/^\d{1,2}s$/, `must be 0s to ${maxWaitS}s`)
    .transform((text) => Number.parseInt(text, 10))
    .refine((seconds) => seconds <= maxWaitS, `must be 0s to ${maxWaitS}s`)
    .default(0)
    .describe(`answers when no receipt is awaited any more, at the latest after this time: 0s to ${maxWaitS}s`),
  result: z.enum(results).optional().describe("only the devices with this result"),
  limit: z.coerce.number().int().min(1).max(10_000).default(1000).describe("the most devices to list"),
});

const Receipts = z.object({
  id: z.string(),
  counts: z.partialRecord(z.enum(results), z.number().int()).describe("the number of devices by result"),
  devices: z.array(
    z.object({
      device: z.string(),
      result: z.enum(results).describe(results.map((name) => `${name}: ${receiptResults[name]}`).join("; ")),
      outcome: z.enum(outcomes).optional().describe("how the announcement ended, if it was to be spoken"),
    }),
  ),
});

/** Adds the route of the receipts. Its waits end with `signal`. */
export function addReceiptRoutes(app: App, { book, signal }: { book: ReceiptBook; signal: AbortSignal }): void {
  addRoute(app, "get", "/api/receipts/{reply}", {
    summary: "Tells for 10 minutes which devices got what was sent to them under an id",
    params: z.object({ reply: Name }),
    query: Query,
    answer: Receipts,
    problems: ["bad-name", "bad-field", "receipt-unknown"],
    handle: async ({ params: { reply: id }, query: { wait, result: wanted, limit }, context }) => {
      const receipts = await book.wait(id, wait * 1000, signal, context.req.raw.signal);
      if (receipts === undefined) throw new Problem("receipt-unknown", `nothing was sent under ${id} lately`);
      const counts: Partial<Record<ReceiptResult, number>> = {};
      for (const { result } of receipts) counts[result] = (counts[result] ?? 0) + 1;
      const listed = wanted === undefined ? receipts : receipts.filter(({ result }) => result === wanted);
      return { id, counts, devices: listed.slice(0, limit) };
    },
  });
}

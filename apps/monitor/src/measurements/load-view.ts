import { PoolWork, priorities } from "@voxbus/protocol";
import { z } from "zod";

const share = z.number().min(0).max(1);

/** Work of one priority, or of all, in the pools of one name. */
export const WorkView = PoolWork.omit({ priority: true }).extend({
  /** Absent while nothing has ended. */
  successRate: share.optional().describe("done / (done + failed + timedOut + shed)"),
});
export type WorkView = z.infer<typeof WorkView>;

const Pool = z.object({
  slots: z.number().int(),
  busy: share.describe("share of the slots in use since the last report"),
  all: WorkView,
  work: z.array(WorkView.extend({ priority: z.enum(priorities) })),
});

/** A pool of one process. */
export const ProcessPool = Pool.extend({
  id: z.string().describe("a gateway's id, or PROGRAM-INSTANCE"),
  host: z.string(),
});
export type ProcessPool = z.infer<typeof ProcessPool>;

/** The pools of one name in all processes of a program. */
export const ProgramPool = Pool.extend({ program: z.string(), name: z.string(), processes: z.array(ProcessPool) });
export type ProgramPool = z.infer<typeof ProgramPool>;

/** The kinds of load that may hold a system up, by what is used up. */
export const loadKinds = ["pool", "cpu", "loop", "queue"] as const;

/** How much of something is used. */
export const Load = z.object({
  kind: z.enum(loadKinds),
  program: z.string().describe("the program, or the stream of a consumer"),
  id: z.string().describe("the process, or the consumer; empty for a pool"),
  name: z.string().describe("the name of the pool; empty for anything else"),
  share: z.number().min(0).describe("of all slots, of the cores, of the threshold of the loop delay or the queue"),
});
export type Load = z.infer<typeof Load>;

/** The part of the system that is used most. */
export const Bottleneck = Load.extend({
  limiting: z.boolean().describe("false: there is no bottleneck, and this is only the busiest part"),
});
export type Bottleneck = z.infer<typeof Bottleneck>;

/** How well turns were served in the last 5 minutes. */
export const Score = z.object({
  value: z.number().min(0).max(100).describe("100 × answered × smooth × prompt, rounded"),
  answered: share.describe("turns answered / (turns answered + turns failed or shed)"),
  smooth: share.describe("turns answered without a gap in their sound / turns answered"),
  prompt: share.describe("the target of the first sound's p95 / its p95, at most 1"),
  turns: z.number().int().describe("turns counted"),
  failed: z.number().int().describe("turns failed, without those that were shed"),
  shed: z.number().int(),
});
export type Score = z.infer<typeof Score>;

/** The kinds of things that limit the number of talking devices. */
const limitKinds = ["host", "program", "pool", "claims", "connections"] as const;

/** One thing that limits the number of talking devices. */
export const CapacityLimit = z.object({
  kind: z.enum(limitKinds),
  name: z.string().describe("the host, the program, or the program and its pool"),
  used: z.number().describe("cores, slots, claims or connections in use"),
  idle: z.number().describe("those of them that are in use without any turn"),
  most: z.number().describe("those that may be in use"),
  more: z.number().int().min(0).describe("more talking devices that it can carry"),
});
export type CapacityLimit = z.infer<typeof CapacityLimit>;

/** How many more talking devices the running processes can carry. */
export const Capacity = z.object({
  more: z.number().int().min(0).optional().describe("the least of `limits`; absent until enough turns were seen"),
  turns: z.number().int().describe("turns seen in the last 10 measurements"),
  turnsNeeded: z.number().int().describe("turns after which the number is known"),
  talking: z
    .number()
    .int()
    .describe("devices whose last turn ended in the last 5 minutes, or 10 measurements if these are longer"),
  turnMs: z.number().optional().describe("CPU time of a turn in all processes, ms"),
  limits: z.array(CapacityLimit).describe("what limits the number, the tightest first"),
});
export type Capacity = z.infer<typeof Capacity>;

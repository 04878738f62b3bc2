import { priorities, type Priority } from "@voxbus/protocol";

/** Properties of a job that decide when it runs. */
export interface JobPlace {
  /** `high`: a person waits for it. `normal`: an announcement. `low`: no one waits. */
  readonly priority: Priority;
  /** The device that it is for. */
  readonly device: string;
  /** When its result is due (`performance.now()`, ms). */
  readonly due: number;
  /** True if it goes on with work that was admitted before, such as a turn's second request. It is next if it is due soon. */
  readonly continues: boolean;
}

/** The jobs that wait, and the order in which they run. */
export interface WaitingJobs<Job extends JobPlace> {
  add(job: Job): void;
  /** Removes a job. Returns false if it does not wait. */
  remove(job: Job): boolean;
  /** Gives the job that runs next, without removing it. */
  peek(): Job | undefined;
  /** Removes a job that starts now. Its device keeps its place in the rounds until `end`. */
  start(job: Job): void;
  /** Notes the end of a job that was started. */
  end(job: Job): void;
  /** The number of jobs of a priority that wait. */
  count(priority: Priority): number;
  /** Every job. */
  all(): readonly Job[];
}

/** Work that continues goes before new work if it is due within this time, ms. */
const soonMs = 2000;

/** A waiting job of a lower priority runs after this number of starts that passed its priority over. */
export const mostPassedOver = 9;

/** The jobs of a priority. */
interface Line<Job> {
  readonly jobs: Set<Job>;
  /** Starts of jobs with higher priority since one of this line started, while this line waited. */
  passedOver: number;
}

/** A device with jobs that wait or run. */
interface Device {
  jobs: number;
  /** The round in which its next job runs. */
  round: number;
}

/**
 * Creates an empty order.
 * - A higher priority comes first. Each lower one that waits gets at least one start in eleven.
 * - Within a priority, work that continues comes first, if it is due within 2 s.
 * - Then the devices take turns: one job of each device in a round. A device that comes later joins the current round.
 * - Within a round, the earliest due comes first, then the one that was added first.
 */
export function createWaitingJobs<Job extends JobPlace>(): WaitingJobs<Job> {
  const lines = new Map<Priority, Line<Job>>(
    priorities.map((priority) => [priority, { jobs: new Set(), passedOver: 0 }]),
  );
  const devices = new Map<string, Device>();
  let round = 0;

  function isBefore(one: Job, other: Job, soon: number): boolean {
    const [isNext, isOtherNext] = [one, other].map(({ continues, due }) => continues && due <= soon);
    if (isNext !== isOtherNext) return isNext === true;
    const rounds = roundOf(one) - roundOf(other);
    return rounds === 0 ? one.due < other.due : rounds < 0;
  }
  const roundOf = ({ device }: Job) => devices.get(device)!.round;
  function findLine(): Line<Job> | undefined {
    const waiting = [...lines.values()].filter(({ jobs }) => jobs.size > 0);
    return waiting.find(({ passedOver }) => passedOver >= mostPassedOver) ?? waiting[0];
  }
  function end({ device: name }: Job): void {
    const device = devices.get(name)!;
    device.jobs -= 1;
    if (device.jobs === 0) devices.delete(name);
  }

  return {
    add(job) {
      lines.get(job.priority)!.jobs.add(job);
      const device = devices.get(job.device) ?? { jobs: 0, round };
      device.jobs += 1;
      devices.set(job.device, device);
    },
    remove(job) {
      const waited = lines.get(job.priority)!.jobs.delete(job);
      if (waited) end(job);
      return waited;
    },
    peek() {
      const soon = performance.now() + soonMs;
      let next: Job | undefined;
      for (const job of findLine()?.jobs ?? []) if (next === undefined || isBefore(job, next, soon)) next = job;
      return next;
    },
    start(job) {
      const device = devices.get(job.device)!;
      lines.get(job.priority)!.jobs.delete(job);
      round = Math.max(round, device.round);
      device.round = Math.max(round, device.round) + 1;
      let isLower = false;
      for (const [priority, line] of lines) {
        if (priority === job.priority) line.passedOver = 0;
        else if (isLower && line.jobs.size > 0) line.passedOver += 1;
        isLower ||= priority === job.priority;
      }
    },
    end,
    count: (priority) => lines.get(priority)!.jobs.size,
    all: () => [...lines.values()].flatMap(({ jobs }) => [...jobs]),
  };
}

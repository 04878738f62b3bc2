import { setTimeout as sleep } from "node:timers/promises";
import type { Fault } from "./fault.ts";
import type { Moment, Stage } from "./stage.ts";

const signal = (program: "asr" | "tts", moment: Moment, which: "SIGUSR2" | "SIGPWR") => async (stage: Stage) => {
  const pids = stage.world.pids(program);
  await stage.next(moment);
  stage.strike(which, pids);
  await sleep(which === "SIGPWR" ? 12_000 : 2000);
};

/** Faults of engines, which are threads of their programs. */
export const threadFaults: readonly Fault[] = [
  { name: "every engine thread of asr dies", world: "threads", happen: signal("asr", "speaking", "SIGUSR2") },
  { name: "every engine thread of tts dies", world: "threads", happen: signal("tts", "mid sound", "SIGUSR2") },
  { name: "every engine thread of asr hangs", world: "threads", happen: signal("asr", "speaking", "SIGPWR") },
  { name: "every engine thread of tts hangs", world: "threads", happen: signal("tts", "mid sound", "SIGPWR") },
];

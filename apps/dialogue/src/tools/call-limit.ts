/** The most calls that run at once: all together, those of one tool, and those of one program. */
export interface MostCalls {
  readonly all: number;
  readonly perTool: number;
  readonly perProgram: number;
}

/** Limits the calls that run at once. */
export interface CallLimit {
  /** Takes a place. The returned function gives it back, once. Gives undefined if all are taken. */
  enter(tool: string, program: string): (() => void) | undefined;
}

/** Creates a limit of all calls together, and of those of each tool and program. */
export function createCallLimit({ all, perTool, perProgram }: MostCalls): CallLimit {
  const running = new Map<string, number>();
  const of = (key: string) => running.get(key) ?? 0;
  const add = (key: string, change: number) => {
    const count = of(key) + change;
    if (count === 0) running.delete(key);
    else running.set(key, count);
  };
  return {
    enter(tool, program) {
      const keys = ["all", `tool ${tool}`, `program ${program}`];
      const most = [all, perTool, perProgram];
      if (keys.some((key, at) => of(key) >= most[at]!)) return undefined;
      for (const key of keys) add(key, 1);
      let held = true;
      return () => {
        for (const key of held ? keys : []) add(key, -1);
        held = false;
      };
    },
  };
}

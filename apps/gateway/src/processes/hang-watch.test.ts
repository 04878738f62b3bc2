import { silentLog } from "@voxbus/testing";
import { expect, it } from "vitest";
import { createHangWatch } from "./hang-watch.ts";

it("hang watch: a process that misses six looks in a row is killed, one that answers or starts is not", async () => {
  const killed: number[] = [];
  const answers = { status: 200, body: "" };
  const describe = (number: number, up: boolean, ask: (look: number) => boolean) => ({
    number,
    isUp: () => up,
    ask: async () => (ask(look) ? answers : undefined),
    kill: () => void killed.push(number),
  });
  let look = 0;
  const watch = createHangWatch(
    [
      describe(1, true, () => false),
      describe(2, true, (at) => at % 6 === 0),
      describe(3, true, () => true),
      describe(4, false, () => false),
    ],
    silentLog,
  );
  for (look = 1; look <= 5; look += 1) await watch();
  expect(killed).toEqual([]);
  for (; look <= 12; look += 1) await watch();
  expect(killed).toEqual([1, 1]);
});

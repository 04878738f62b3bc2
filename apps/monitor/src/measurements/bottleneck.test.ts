import * as fc from "fast-check";
import { expect, test } from "vitest";
import { makePool, makeStats } from "../test-monitor.ts";
import { findBottleneck, limitingShare, listLoads, sayBottleneck } from "./bottleneck.ts";
import { loadKinds, type Load } from "./load-view.ts";

const thresholds = { loopDelay: 100, queue: 500 };
const lag = { stream: "TURNS", durable: "tts", pending: 0, held: 0, redelivered: 0 } as const;
const find = (...args: Parameters<typeof listLoads>) => findBottleneck(listLoads(...args))!;

test("bottleneck: is the pool, process or consumer with the highest share of what it has", () => {
  const gateway = makeStats("g1", { cpu: 0.3, loopDelay: 10 });
  const { id: _, ...tts } = makeStats("", { program: "tts", instance: "t", pools: [makePool("opus-out", 0.96)] });
  const pool = find([gateway, tts], [lag], thresholds);
  expect(pool).toMatchObject({ kind: "pool", program: "tts", name: "opus-out", limiting: true });
  expect(sayBottleneck(pool)).toBe("tts: opus-out is at 96 %.");
  const loop = find([{ ...gateway, loopDelay: 120 }, tts], [lag], thresholds);
  expect(sayBottleneck(loop)).toBe("g1: the delay of its event loop is at 120 % of its threshold.");
  const queue = find([gateway, tts], [{ ...lag, pending: 1000 }], thresholds);
  expect(sayBottleneck(queue)).toBe("tts-TURNS: the waiting messages are at 200 % of their threshold.");
  const cpu = find([{ ...gateway, cpu: 1.98, cores: 2 }, tts], [lag], thresholds);
  expect(sayBottleneck(cpu)).toBe("g1: its cores are at 99 %.");
});

test("bottleneck: nothing is limiting below 60 %, and the busiest part is named", () => {
  const found = find([makeStats("g1", { cpu: 0.3, loopDelay: 10 })], [lag], thresholds);
  expect(found.limiting).toBe(false);
  expect(sayBottleneck(found)).toBe("There is no bottleneck. The busiest part: g1: its cores are at 30 %.");
  expect(findBottleneck([])).toBeUndefined();
});

test("bottleneck: no other load has a higher share, in any order, and it limits from 60 % on", () => {
  const load = fc.record<Load>({
    kind: fc.constantFrom(...loadKinds),
    program: fc.constant("tts"),
    id: fc.string(),
    name: fc.string(),
    share: fc.double({ min: 0, max: 5, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(load, { minLength: 1 }), (loads) => {
      const found = findBottleneck(loads)!;
      expect(found.share).toBe(Math.max(...loads.map(({ share }) => share)));
      expect(findBottleneck(loads.toReversed())!.share).toBe(found.share);
      expect(found.limiting).toBe(found.share >= limitingShare);
    }),
  );
});

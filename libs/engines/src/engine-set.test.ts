import { metrics } from "@opentelemetry/api";
import { expect, onTestFinished, test } from "vitest";
import { createEngineSet } from "./engine-set.ts";

const down = Object.assign(new Error("no"), { status: 503 });

/** A set of engines. `ask` ends as the test says. */
function createTested(usual: readonly string[]) {
  const set = createEngineSet({
    engines: ["a", "b", "c"].map((name) => ({ name, ask: (_error?: Error) => {} })),
    usual,
    watch: (engine, health) => ({
      ...engine,
      ask(error) {
        const request = health.begin();
        if (error === undefined) request.succeeded();
        else request.failed(error);
      },
    }),
    probe: () => Promise.reject(down),
    log: { info: () => undefined, warn: () => undefined },
    meter: metrics.getMeter("test"),
  });
  onTestFinished(() => set.close());
  const choose = (names?: string | readonly string[]) => set.choose(names).map(({ name }) => name);
  const ask = (name: string, error?: Error) => set.engines.find((engine) => engine.name === name)!.ask(error);
  return { set, choose, ask };
}

test("engines: a profile names one or a list, and without known names the usual ones are asked", () => {
  const { choose } = createTested(["b", "a"]);
  expect(choose()).toEqual(["b", "a"]);
  expect(choose("c")).toEqual(["c"]);
  expect(choose(["c", "b"])).toEqual(["c", "b"]);
  expect(choose(["x", "c"])).toEqual(["c"]);
  expect([choose("x"), choose([])]).toEqual([
    ["b", "a"],
    ["b", "a"],
  ]);
});

test("engines: one that is named twice is asked once", () => {
  expect(createTested(["a"]).choose(["c", "c", "a", "c"])).toEqual(["c", "a"]);
});

test("engines: those that cool down come last, and in their order if all do", () => {
  const { set, choose, ask } = createTested(["a", "b"]);
  ask("a", down);
  expect([choose(), choose("a"), set.unusable()]).toEqual([["b", "a"], ["a"], 1]);
  ask("b", down);
  expect([choose(), set.unusable()]).toEqual([["a", "b"], 2]);
  ask("a");
  ask("b");
  expect([choose(), set.unusable()]).toEqual([["a", "b"], 0]);
});

import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { findOldBuild } from "./deploy/local/build.mjs";
import { findNatsServer } from "./deploy/local/nats-server.mjs";

const old = findOldBuild(import.meta.dirname);
if (old !== undefined) {
  process.stderr.write(
    `The build of ${old} is older than its sources, or missing. To build it: node deploy/local/setup.mjs\n`,
  );
}

/** Begins with the long files that would come late. At the end, the other workers would wait for them. */
class LongTestsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isShort = ({ moduleId }: TestSpecification) =>
      Number(!/\/(?:attacks|bench|faults|field)\.test\.ts$/.test(moduleId));
    return (await super.sort(files)).toSorted((one, other) => isShort(one) - isShort(other));
  }
}

/** Files that change what a process has one of: the provider of traces. */
const alone = [
  "apps/asr/src/utterance-span.test.ts",
  "apps/dialogue/src/engines/model-span.test.ts",
  "apps/dialogue/src/tools/bus-tool-trace.test.ts",
  "libs/bus/src/tracing/spans.test.ts",
  "tests/src/e2e/broker-hops.test.ts",
];
const all = ["{apps,libs,examples}/*/src/**/*.test.ts", "apps/monitor/page/**/*.test.ts", "tests/src/**/*.test.ts"];

export default defineConfig({
  test: {
    env: { VOXBUS_NATS_SERVER: process.env["VOXBUS_NATS_SERVER"] ?? (await findNatsServer()) },
    testTimeout: 20_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 10_000 } },
    setupFiles: "tests/src/patience.ts",
    maxWorkers: 3,
    sequence: { sequencer: LongTestsFirst },
    projects: [
      // To load the modules anew for each file would take a quarter of the time.
      { extends: true, test: { name: "together", include: all, exclude: alone, isolate: false } },
      { extends: true, test: { name: "alone", include: alone } },
    ],
  },
});

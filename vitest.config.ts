import { defineConfig } from "vitest/config";
import { findNatsServer } from "./deploy/local/nats-server.mjs";

export default defineConfig({
  test: {
    include: ["{apps,libs,examples}/*/src/**/*.test.ts", "apps/monitor/page/**/*.test.ts", "tests/src/**/*.test.ts"],
    env: { VOXBUS_NATS_SERVER: process.env["VOXBUS_NATS_SERVER"] ?? (await findNatsServer()) },
    testTimeout: 20_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});

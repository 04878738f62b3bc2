import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Bus } from "@voxbus/bus";
import { connectTestBus, startNatsServer } from "@voxbus/testing";
import { root } from "../docs/markdown.ts";

/** A running asr with a NATS of its own. */
export interface RunningAsr {
  readonly bus: Bus;
  close(): Promise<void>;
}

/** Starts asr. `folder`: the checkout of the one to start. */
export async function openAsr(folder = root): Promise<RunningAsr> {
  const nats = await startNatsServer();
  const bus = await connectTestBus(nats.url);
  const asr = spawn(process.execPath, [`${folder}/apps/asr/dist/main.js`], {
    env: {
      PATH: process.env["PATH"],
      VOXBUS_NATS_URL: nats.url,
      VOXBUS_ASR_OPS_PORT: "0",
      VOXBUS_LOG_LEVEL: "error",
      // Sounds come faster than in real time, so their transcripts may be late.
      VOXBUS_ASR_TRANSCRIPT_MS: "60000",
    },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const ended = once(asr, "exit");
  process.once("exit", () => asr.kill("SIGKILL"));
  return {
    bus,
    async close() {
      asr.kill("SIGINT");
      await ended;
      await bus.close();
      await nats.stop();
    },
  };
}

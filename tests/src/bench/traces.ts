import { z } from "zod";
import { busConfig, connectBus } from "@voxbus/bus";
import { startNatsServer, loose } from "@voxbus/testing";
import { channels, encodeEnvelope } from "@voxbus/protocol";
import { startService } from "@voxbus/service";
import { takeMedian } from "./numbers.ts";

// node tests/dist/bench/traces.js: the CPU time of publishing a frame, which other programs on the machine hardly change.
// Set OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9 to measure it with spans.
const frames = 20_000;
const rounds = 5;
const inFlight = 500;

const nats = await startNatsServer();
const program = { name: "bench", opsPort: 0, config: busConfig };
const env = { ...process.env, VOXBUS_NATS_URL: nats.url, VOXBUS_LOG_LEVEL: "warn" };
const service = await startService(
  program,
  async ({ config, log, defer }) => {
    const bus = await connectBus(config, log);
    defer(() => bus.close());
    const session = "01J0000000000000000000000A";
    const packet = new Uint8Array(120);
    const inbound = encodeEnvelope(z.any(), { session, seq: 1, at: 1, kind: "audio", duration: 60, body: packet });
    const face = { session, origin: 5, kind: "text", body: { type: "llm", emotion: "happy" } };
    const kinds: Readonly<Record<string, (n: number) => void>> = {
      "in.audio": () => bus.publish(loose(channels.inAudio("bench")), inbound),
      "out, audio": (n) => {
        const named = {
          session,
          kind: "audio",
          duration: 60,
          origin: 5,
          reply: "r",
          attempt: 1,
          sentence: 0,
          n,
          body: packet,
        };
        bus.publish(loose(channels.out("bench")), named, {});
      },
      "out, text": () => bus.publish(loose(channels.out("bench")), face),
    };
    for (const [kind, publish] of Object.entries(kinds)) {
      const costs: number[] = [];
      for (let round = 0; round <= rounds; round += 1) {
        const before = process.cpuUsage();
        for (let n = 0; n < frames; n += 1) {
          publish(n);
          if (n % inFlight === 0) await bus.flush();
        }
        await bus.flush();
        const { user, system } = process.cpuUsage(before);
        if (round > 0) costs.push((user + system) / frames);
      }
      process.stdout.write(`${kind.padEnd(12)} ${takeMedian(costs).toFixed(2)} µs of CPU per frame\n`);
    }
  },
  env,
);
await service.stop("quick");
await nats.stop();

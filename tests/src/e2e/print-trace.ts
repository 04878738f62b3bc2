import { launchSystem } from "./launcher.ts";
import { startOtlpReceiver } from "./otlp-receiver.ts";
import { startDevice } from "./scripted-device.ts";
import { printTrace } from "./trace-tree.ts";

// node tests/dist/e2e/print-trace.js: starts a system, speaks to it, and prints the trace of the turn.
const receiver = await startOtlpReceiver();
const system = await launchSystem({ env: receiver.variables });
const device = await startDevice(system.devices[0]!, "kitchen");
await device.do({ do: "wav", file: "samples/sum.wav" });
await device.turn();
await device.end();
await system.close();
const turn = receiver.spans.find(({ name }) => name === "turn");
process.stdout.write(`${printTrace(receiver.spans.filter(({ trace }) => trace === turn?.trace))}\n`);
receiver.close();

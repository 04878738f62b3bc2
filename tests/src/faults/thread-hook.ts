/**
 * Preloaded into the programs (`node --import`). On SIGUSR2 every engine thread of the process crashes; on SIGPWR every engine
 * thread hangs.
 */
import { BroadcastChannel, isMainThread } from "node:worker_threads";

const channel = new BroadcastChannel("voxbus-faults");
channel.unref();
const tell = channel.postMessage.bind(channel);
if (isMainThread) {
  process.on("SIGUSR2", () => tell("die"));
  process.on("SIGPWR", () => tell("hang"));
} else {
  channel.onmessage = (event: unknown) => {
    if ((event as { data: unknown }).data === "die") process.exit(1);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
}

// Preloaded into the programs of a soak. At SIGUSR2 it collects garbage and writes what the process holds into a file. The
// first file shows that the handler is installed.
import { renameSync, writeFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isMainThread } from "node:worker_threads";

const directory = process.env["SOAK_DIRECTORY"];

if (isMainThread && directory !== undefined && process.argv[1]?.includes("/apps/")) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const path = `${directory}/${process.pid}.json`;
  const tell = () => {
    const { heapUsed, external } = process.memoryUsage();
    const timers = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    writeFileSync(`${path}.new`, JSON.stringify({ at: Date.now(), held: heapUsed + external, timers }));
    renameSync(`${path}.new`, path);
  };
  process.on("SIGUSR2", () => {
    collect();
    collect();
    tell();
  });
  tell();
}

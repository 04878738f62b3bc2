import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const firstDelay = 100;
const longestDelay = 30_000;
/** A program that was ready for this long, in ms, is not one that keeps dying. */
const settled = 10_000;

/**
 * Keeps a program running in a process group of its own. One that died is started again after 100 ms, twice as long each
 * further time unless it had run for a while. One that ends by itself before it was ever ready is given up: `ready`
 * rejects.
 *
 * `environment()` is asked at each start; `awaitReady(child)` resolves with what the program says when it is ready;
 * `print(line)` gets its output; `onChange()` is called when a process came or went.
 */
export function superviseProgram(options) {
  const { name, command, args, cwd, environment, awaitReady, print, say, onChange } = options;
  let child;
  let again;
  let stopping = false;
  let failures = 0;
  let readySince;
  let announce;
  const ready = new Promise((resolve, reject) => (announce = { resolve, reject }));
  let leave;
  const gone = new Promise((resolve) => (leave = resolve));

  const start = () => {
    const current = spawn(command, args, {
      cwd,
      env: environment(),
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    child = current;
    let running = false;
    for (const stream of [current.stdout, current.stderr]) createInterface({ input: stream }).on("line", print);
    current.once("error", (error) => print(`cannot be started: ${error.message}`));
    current.once("exit", () => signalGroup(current.pid, "SIGKILL"));
    current.once("close", (code, signal) => {
      child = undefined;
      onChange();
      end(code, signal, running);
    });
    onChange();
    awaitReady(current).then(
      (said) => {
        running = true;
        if (readySince !== undefined) say(`${name} is back`);
        readySince = Date.now();
        announce.resolve(said);
      },
      (error) => print(error.message),
    );
  };

  const end = (code, signal, running) => {
    if (stopping) {
      leave();
      return;
    }
    const how = signal ?? `code ${code}`;
    if (readySince === undefined && signal === null) {
      stopping = true;
      leave();
      announce.reject(new Error(`${name} could not start (${how}); its last lines above say why`));
      return;
    }
    if (running && Date.now() - readySince >= settled) failures = 0;
    const delay = Math.min(firstDelay * 2 ** failures++, longestDelay);
    say(`${name} died (${how}); it is started again in ${delay} ms`);
    again = setTimeout(start, delay);
  };

  start();
  return {
    name,
    /** Resolves with what the program said when it was ready for the first time; rejects when it gave up before. */
    ready,
    /** Resolves when it was told to stop and its process is gone. */
    gone,
    /** Its process group, while it has one. */
    group: () => child?.pid,
    /** Tells it to stop with a signal; it is not started again. */
    stop(which) {
      stopping = true;
      clearTimeout(again);
      if (child === undefined) leave();
      else child.kill(which);
    },
    /** Ends its whole process group at once. */
    kill() {
      if (child?.pid !== undefined) signalGroup(child.pid, "SIGKILL");
    },
  };
}

function signalGroup(group, signal) {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

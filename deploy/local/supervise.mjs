import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const firstDelayMs = 100;
const longestDelayMs = 30_000;
/** A program that was ready for this long before it died is restarted after the first delay again. */
const settledMs = 10_000;
/** The exit code of a program that needs its operator: a restart would not help (EX_CONFIG). */
const failedCode = 78;

/**
 * Keeps a program running in a process group of its own. If it ends it is restarted after 100 ms. Each further restart
 * takes twice as long, unless the program had run for a while. If it ends by itself before it was ever ready, it is not
 * restarted, and `ready` rejects. If it ends with code 78 it is not restarted either.
 *
 * `environment()` gives the variables for each start. `awaitReady(child)` resolves with the program's addresses when it
 * is ready. `print(line)` gets its output. `onChange()` is called when a process has started or ended.
 */
export function superviseProgram({ environment, awaitReady, print, say, onChange, ...program }) {
  const { name } = program;
  const ready = createDeferred();
  const gone = createDeferred();
  let child;
  let restart;
  let stopping = false;
  let failures = 0;
  let readySince;

  const start = () => {
    let wasReady = false;
    child = spawnProgram({ ...program, env: environment() }, print, (code, signal) => {
      child = undefined;
      onChange();
      if (stopping) gone.resolve();
      else if (signal === null && (readySince === undefined || code === failedCode)) giveUp(code);
      else restartLater(signal ?? `code ${code}`, wasReady);
    });
    onChange();
    awaitReady(child).then(
      (addresses) => {
        wasReady = true;
        if (readySince !== undefined) say(`${name} restarted`);
        readySince = Date.now();
        ready.resolve(addresses);
      },
      (error) => print(error.message),
    );
  };
  const giveUp = (code) => {
    stopping = true;
    gone.resolve();
    if (readySince !== undefined) say(`${name} failed and is not restarted: see its last lines above`);
    ready.reject(new Error(`${name} could not start (code ${code}): see its last lines above`));
  };
  const restartLater = (how, wasReady) => {
    if (wasReady && Date.now() - readySince >= settledMs) failures = 0;
    const delay = Math.min(firstDelayMs * 2 ** failures++, longestDelayMs);
    say(`${name} ${how === "code 0" ? "ended" : `died (${how})`}, restarting in ${delay} ms`);
    restart = setTimeout(start, delay);
  };

  start();
  return {
    name,
    /** Resolves with the addresses of the first start. Rejects if the program could not start. */
    ready: ready.promise,
    /** Resolves when the program was told to stop and its process is gone. */
    gone: gone.promise,
    /** Gives the id of its process group, while it has one. */
    group: () => child?.pid,
    /** Sends a signal. The program is not restarted. */
    stop(signal) {
      stopping = true;
      clearTimeout(restart);
      if (child === undefined) gone.resolve();
      else child.kill(signal);
    },
    /** Kills its whole process group. */
    kill() {
      if (child?.pid !== undefined) killGroup(child.pid);
    },
  };
}

/** Starts a process in a group of its own. When it ends, the rest of its group is killed. */
function spawnProgram({ command, args, cwd, env }, print, ended) {
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe", "ipc"] });
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on("line", print);
  child.once("error", (error) => print(`cannot run ${command}: ${error.message}`));
  child.once("exit", () => killGroup(child.pid));
  child.once("close", ended);
  return child;
}

function killGroup(group) {
  try {
    process.kill(-group, "SIGKILL");
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

function createDeferred() {
  let settle;
  const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle };
}

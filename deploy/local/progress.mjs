import { spawn } from "node:child_process";

/**
 * Runs one step of the set-up and shows it as one line on stderr: what is done, how long it takes so far, how it ended.
 * Resolves or rejects with what `work` does.
 */
export async function showStep(text, work) {
  const began = Date.now();
  const screen = process.stderr;
  const seconds = () => `${((Date.now() - began) / 1000).toFixed(1)} s`;
  screen.write(`voxbus: ${text} …`);
  const tick = setInterval(
    () => screen.write(screen.isTTY ? `\rvoxbus: ${text} … ${seconds()}` : ` ${seconds()} …`),
    screen.isTTY ? 500 : 10_000,
  );
  try {
    const result = await work();
    screen.write(screen.isTTY ? `\rvoxbus: ${text} … done in ${seconds()}\n` : ` done in ${seconds()}\n`);
    return result;
  } catch (error) {
    screen.write(screen.isTTY ? `\rvoxbus: ${text} … failed after ${seconds()}\n` : ` failed after ${seconds()}\n`);
    throw error;
  } finally {
    clearInterval(tick);
  }
}

/** Runs a command quietly and resolves with its output; throws with the end of that output when it fails. */
export async function runCommand(command, args, options = {}) {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const [code, signal] = await new Promise((resolve, reject) => {
    child.once("error", (cause) => reject(new Error(`${command} cannot be run: ${cause.message}`, { cause })));
    child.once("close", (...end) => resolve(end));
  });
  if (code === 0) return output;
  const tail = output.trim().split("\n").slice(-40).join("\n");
  throw new Error(`${[command, ...args].join(" ")} ended with ${signal ?? `code ${code}`}:\n${tail}`);
}

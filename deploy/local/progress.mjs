import { spawn } from "node:child_process";

/**
 * Runs one step of the set-up and shows it as one line on stderr: the step, the time it has taken, and how it ended.
 * Resolves or rejects as `work` does.
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

/** Runs a command without showing its output, and resolves with it. Throws with the end of the output if it fails. */
export async function runCommand(command, args, options = {}) {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const [code, signal] = await new Promise((resolve, reject) => {
    child.once("error", (cause) => reject(new Error(`cannot run ${command}: ${cause.message}`, { cause })));
    child.once("close", (...end) => resolve(end));
  });
  if (code === 0) return output;
  const tail = output.trim().split("\n").slice(-40).join("\n");
  throw new Error(`${[command, ...args].join(" ")} failed (${signal ?? `code ${code}`}):\n${tail}`);
}

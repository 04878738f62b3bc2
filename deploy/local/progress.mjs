import { spawn } from "node:child_process";

/** Time until a step says what it waits for, and between two such lines, ms. */
const slowMs = 15_000;
/** Longest wait for the answer of a server that a step waits for, ms. */
const answerMs = 5000;

/**
 * Runs one step of the set-up and shows it as one line on stderr: the step, the time it has taken, and how it ended.
 * Resolves or rejects as `work` does. Every 15 s a step says what it waits for: the text that `why` resolves with.
 */
export async function showStep(text, work, why) {
  const began = Date.now();
  const screen = process.stderr;
  const seconds = () => `${((Date.now() - began) / 1000).toFixed(1)} s`;
  screen.write(`voxbus: ${text} …`);
  const tick = setInterval(
    () => screen.write(screen.isTTY ? `\rvoxbus: ${text} … ${seconds()}` : ` ${seconds()} …`),
    screen.isTTY ? 500 : 10_000,
  );
  const explain = async () => screen.write(`\nvoxbus: still waiting: ${await why()}\n`);
  const slow = why && setInterval(() => void explain(), slowMs);
  try {
    const result = await work();
    screen.write(screen.isTTY ? `\rvoxbus: ${text} … done in ${seconds()}\n` : ` done in ${seconds()}\n`);
    return result;
  } catch (error) {
    screen.write(screen.isTTY ? `\rvoxbus: ${text} … failed after ${seconds()}\n` : ` failed after ${seconds()}\n`);
    throw error;
  } finally {
    clearInterval(tick);
    clearInterval(slow);
  }
}

/** Tells how fast a server answers, so that a slow network is told apart from a slow machine. */
export async function describeAnswer(address) {
  const origin = /^\w+:\/\//.test(address) && URL.canParse(address) ? new URL(address).origin : address;
  const began = Date.now();
  try {
    const response = await fetch(address, { method: "HEAD", signal: AbortSignal.timeout(answerMs) });
    await response.body?.cancel();
    return `${origin} answers in ${((Date.now() - began) / 1000).toFixed(1)} s`;
  } catch (error) {
    const reason =
      error.name === "TimeoutError" ? `within ${answerMs / 1000} s` : `(${error.cause?.code ?? error.name})`;
    return `${origin} does not answer ${reason}: check the network, or the proxy in the environment`;
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

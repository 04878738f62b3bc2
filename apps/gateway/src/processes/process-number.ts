import cluster from "node:cluster";
import type { Context } from "@voxbus/subscriber";

const option = "--worker=";

/** True if this process is to be the parent of several gateway processes. A bad number is left to the gateway, which names it. */
export function wantsProcesses(env: Readonly<Record<string, string | undefined>>): boolean {
  return cluster.isPrimary && Number(env["VOXBUS_GATEWAY_WORKERS"]) > 1 && !process.argv.includes("--help");
}

/** Gives the arguments with which the parent starts process `number`, so that a list of processes shows it. */
export function processArguments(number: number): string[] {
  return [`${option}${number}`];
}

/** Gives this process's number among those of its parent, from 1. Undefined if it has no such parent. */
export function processNumber(): number | undefined {
  const argument = process.argv.find((one) => one.startsWith(option));
  return cluster.isWorker && argument !== undefined ? Number(argument.slice(option.length)) : undefined;
}

/** Closes a server at the end. If other processes are behind its port, they take the new devices from the drain on. */
export function leavePort({ defer, drain }: Pick<Context, "defer" | "drain">, server: { close(): void }): void {
  defer(() => server.close());
  if (processNumber() !== undefined) drain(async () => server.close());
}

/** Lets this process stop in order when its parent is gone. Node would end it at once, in mid-sentence. */
export function outliveParent(): void {
  if (cluster.worker) cluster.worker.exitedAfterDisconnect = true;
}

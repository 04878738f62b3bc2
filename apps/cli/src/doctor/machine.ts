import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { readDescriptorLimit } from "@voxbus/service";
import { judge, megabytes, type Finding } from "./finding.ts";

const oldestNode = [20, 19] as const;
/** A gateway needs descriptors besides those of its devices: NATS, the operations port, files. */
const spareDescriptors = 200;
/** Memory that a small system needs besides its devices, in bytes. */
const usualMemory = 512 * 1024 ** 2;
/** Free bytes below which nats-server soon cannot store. */
const leastDisk = 100 * 1024 ** 2;

/** Checks the version of Node. */
export function checkNode(version = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isOld = major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1]);
  const { ok, failed } = judge("node");
  if (!isOld) return ok(`Node ${version}`, { version });
  return failed(`Node ${version} is too old`, `Install Node ${oldestNode.join(".")} or newer.`, { version });
}

/** Checks how many files a process may open, for the connections that a gateway takes. */
export function checkDescriptors(connections: number, limit = readDescriptorLimit()): Finding {
  const { ok, warning, skipped } = judge("open files");
  if (limit === Infinity) return skipped("this machine does not tell how many files a process may open");
  const values = { limit, connections };
  const found = `a process may open ${limit} files, and a gateway takes ${connections} connections`;
  if (limit >= connections + spareDescriptors) return ok(found, values);
  const fix = `Raise the limit to ${connections + spareDescriptors} or more: ulimit -n, LimitNOFILE= of a systemd unit, or ulimits of a container. Or lower VOXBUS_MAX_CONNECTIONS.`;
  return warning(found, fix, values);
}

/** Checks the memory that is left for the programs, within the limit of a container. */
export function checkMemory(available = process.availableMemory()): Finding {
  const { ok, warning } = judge("memory");
  const found = `${megabytes(available)} of memory are available`;
  if (available >= usualMemory) return ok(found, { available });
  return warning(found, "Stop other programs, or run voxbus on a machine with more memory.", { available });
}

/** Checks the room on the disk of a local nats-server, which may store `growth` bytes more. */
export async function checkDisk(folder: string, growth: number): Promise<Finding> {
  const { ok, warning, failed } = judge("disk");
  const path = findExisting(resolve(folder));
  const { bavail, bsize } = await statfs(path);
  const free = bavail * bsize;
  const values = { path, free, growth };
  const found = `${megabytes(free)} are free on the disk of ${path}, and the streams may grow by ${megabytes(growth)}`;
  const fix = `Make room on the disk of ${path}, set VOXBUS_DATA_DIR to a folder on another disk, or lower VOXBUS_DEVICE_IN_MB, VOXBUS_TURNS_MB and VOXBUS_BUCKETS_MB.`;
  if (free < leastDisk) return failed(found, fix, values);
  return free < growth ? warning(found, fix, values) : ok(found, values);
}

/** The folder itself, or the nearest folder above it that exists. */
function findExisting(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : findExisting(dirname(path));
}

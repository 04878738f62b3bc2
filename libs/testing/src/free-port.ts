import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

// Below the ports that Linux gives to connections, and to listeners that ask for none: no one else gets one by chance.
const lowest = 20_000;
const highest = 32_000;
const mostTries = 1000;
/** The ports that this process gave out. */
const given = new Set<number>();

/**
 * Finds a free TCP port of 127.0.0.1, for a server that cannot choose its own, or that comes back on it. A process gives each port
 * once. Throws an Error if all are taken.
 */
export async function findFreePort(): Promise<number> {
  for (let tries = 0; tries < mostTries; tries += 1) {
    const port = randomInt(lowest, highest);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error(`no port from ${lowest} to ${highest} is free`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}

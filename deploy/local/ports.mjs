import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Reads a port from the environment. An empty variable means `usual`. */
export function readPort(env, variable, usual) {
  const port = Number(env[variable] || usual);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new Error(`${variable}: expected a port from 0 to 65535, got ${JSON.stringify(env[variable])}`);
}

function listen(server, host, port) {
  return new Promise((resolve, reject) => server.once("error", reject).listen({ host, port }, resolve));
}

/** Listens on any port below those that Linux gives to connections: no one else gets it before the program listens. */
async function listenAnywhere(server, host) {
  for (let tries = 0; tries < 100; tries += 1) {
    try {
      return await listen(server, host, randomInt(20_000, 32_000));
    } catch (error) {
      if (error.code !== "EADDRINUSE") throw error;
    }
  }
  return listen(server, host, 0);
}

/**
 * Checks that the programs will get their ports, `{ variable, host, port }` each, before any of them starts. Resolves
 * with a free port for each: the requested one, or any for 0. Throws with the names of all ports that are taken.
 */
export async function probePorts(wanted) {
  const servers = [];
  const problems = [];
  const ports = [];
  try {
    for (const { variable, host, port } of wanted) {
      const server = createServer();
      servers.push(server);
      try {
        await (port === 0 ? listenAnywhere(server, host) : listen(server, host, port));
        ports.push(server.address().port);
      } catch (error) {
        // Other problems of an address are reported by the program itself.
        if (error.code === "EADDRINUSE") problems.push(`port ${port} is taken: set ${variable} to another one`);
        ports.push(port);
      }
    }
  } finally {
    const open = servers.filter((server) => server.listening);
    await Promise.all(open.map((server) => new Promise((resolve) => server.close(resolve))));
  }
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return ports;
}

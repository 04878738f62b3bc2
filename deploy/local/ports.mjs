import { createServer } from "node:net";

/**
 * Looks whether the programs will get their ports, `{ variable, host, port }` each, so that nothing is half started.
 * Resolves with a free port for each (the one asked for, or any for 0); throws naming all that are taken.
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
        await new Promise((resolve, reject) => server.once("error", reject).listen({ host, port }, resolve));
        ports.push(server.address().port);
      } catch (error) {
        // Whatever else is wrong with an address the program itself says best.
        if (error.code === "EADDRINUSE") problems.push(`port ${port} is taken: set ${variable} to another one`);
        ports.push(port);
      }
    }
  } finally {
    await Promise.all(
      servers.filter((server) => server.listening).map((server) => new Promise((resolve) => server.close(resolve))),
    );
  }
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return ports;
}

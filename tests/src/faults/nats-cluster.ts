import { findFreePort, startNatsServer, type NatsServer } from "@voxbus/testing";

/** Starts one nats-server or a cluster. All end with this process. */
export async function startNats(nodes: number): Promise<readonly NatsServer[]> {
  if (nodes === 1) return [await startNatsServer()];
  const ports = await Promise.all(Array.from({ length: nodes }, () => findFreePort()));
  const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  return Promise.all(
    ports.map((port, i) =>
      startNatsServer({
        config: `server_name: "n${i + 1}"
cluster { name: "faults", listen: "127.0.0.1:${port}", routes: [${routes}] }`,
      }),
    ),
  );
}

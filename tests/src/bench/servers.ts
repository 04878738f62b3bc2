import { startChild, type Child } from "./child.ts";

/** What is measured beside each other: the bare `ws` echo, the bare bridge, the gateway. */
export const contenders = ["bare ws", "bare bridge", "gateway"] as const;
export type Contender = (typeof contenders)[number];

/** One contender that runs: its server and the programs behind it. */
export interface Server {
  readonly contender: Contender;
  /** Where devices connect. */
  readonly url: string;
  /** True when a device says hello first. */
  readonly hello: boolean;
  /** The server that holds the connections. */
  readonly edge: Child;
  /** The subscriber that echoes; the bare `ws` server has none. */
  readonly echo: Child | undefined;
  stop(): Promise<void>;
}

/** The id of the gateway that is measured. */
export const gatewayId = "bench";

/** Budgets that a closed loop would exceed; they are checked all the same. */
const raised = {
  VOXBUS_MAX_AUDIO_FRAMES_S: "1000000",
  VOXBUS_MAX_AUDIO_BYTES_S: "1000000000",
  VOXBUS_MAX_CONNECTS_S: "1000000",
};

/** Starts a contender on a NATS, each program in its own process; `flags` are Node's, for the server of the connections. */
export async function startServer(
  contender: Contender,
  natsUrl: string,
  flags: readonly string[] = [],
): Promise<Server> {
  const env = {
    VOXBUS_NATS_URL: natsUrl,
    VOXBUS_GATEWAY_ID: gatewayId,
    VOXBUS_GATEWAY_PORT: "0",
    VOXBUS_GATEWAY_OPS_PORT: "0",
    VOXBUS_ECHO_OPS_PORT: "0",
    ...raised,
  };
  const [edge, echo] = await Promise.all(
    {
      "bare ws": () => [startChild("bare-ws", { flags })],
      "bare bridge": () => [
        startChild("bare-bridge", { args: [natsUrl], flags }),
        startChild("bare-echo", { args: [natsUrl] }),
      ],
      gateway: () => [
        startChild("apps/gateway/dist/main.js", { env, flags }),
        startChild("examples/echo/dist/main.js", { env }),
      ],
    }[contender](),
  );
  if (!edge) throw new Error(`${contender} has no server`);
  return {
    contender,
    url: edge.addresses["device"] ?? "",
    hello: contender === "gateway",
    edge,
    echo,
    async stop() {
      await Promise.all([edge.stop(), echo?.stop()]);
    },
  };
}

/** Why frames may be missing: the gateway's own counts of drops by reason, and how often a program lost its NATS. */
export async function readDrops({ contender, url, edge, echo }: Server): Promise<Readonly<Record<string, number>>> {
  if (contender !== "gateway") return {};
  const response = await fetch(new URL("/ws/stats", url.replace(/^ws/, "http")));
  const { drops } = (await response.json()) as { drops: Record<string, number> };
  const reconnects = {
    "gateway reconnected": await countReconnects(edge),
    "echo reconnected": await countReconnects(echo),
  };
  return Object.fromEntries(Object.entries({ ...drops, ...reconnects }).filter(([, count]) => count > 0));
}

async function countReconnects(child: Child | undefined): Promise<number> {
  const metrics = await (await fetch(new URL("/metrics", child?.addresses["ops"]))).text();
  return Number(/^voxbus_bus_reconnects\S* (\d+)/m.exec(metrics)?.[1] ?? 0);
}

import { startChild, type Child } from "./child.ts";

/** The compared servers: the bare `ws` echo, the bare bridge, and the gateway. */
export const contenders = ["bare ws", "bare bridge", "gateway"] as const;
/** One of them, or the baseline of play-out. */
export type Contender = (typeof contenders)[number] | "bare timers";

/** A running contender: its server and the programs behind it. */
export interface Server {
  readonly contender: Contender;
  /** The URL for devices. */
  readonly url: string;
  /** True if devices say hello first. */
  readonly hello: boolean;
  /** The process that holds the connections. */
  readonly edge: Child;
  /** The subscriber that echoes; the bare `ws` server needs none. */
  readonly echo: Child | undefined;
  stop(): Promise<void>;
}

/** The id of the measured gateway. */
export const gatewayId = "bench";

/** Limits high enough for a closed loop; they are still checked. */
const raised = {
  VOXBUS_MAX_FRAMES_S: "1000000",
  VOXBUS_MAX_BYTES_S: "1000000000",
  VOXBUS_MAX_COST_S: "1000000000",
  VOXBUS_MAX_TURNS_MIN: "1000000",
  VOXBUS_MAX_CONNECTS_S: "1000000",
  VOXBUS_MAX_PER_ADDRESS: "1000000",
};

/** Starts a contender, each program in its own process. `flags` are Node's flags for the process with the connections. */
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
      "bare timers": () => [startChild("bare-timers", { args: [natsUrl], flags })],
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

/** Reads the reasons for missing frames: the gateway's drops by reason, and the reconnects of each program to NATS. */
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

import { startChild, type Child } from "./child.ts";
import type { Greeting } from "./device.ts";
import { startRedisServer } from "./redis-server.ts";
import { listPrograms } from "./system.ts";

/** The compared servers: the bare `ws` echo, the bare bridge, and the gateway. */
export const contenders = ["bare ws", "bare bridge", "gateway"] as const;
/** One of them, socket.io with its Redis adapter, or the baseline of play-out. */
export type Contender = (typeof contenders)[number] | "socket.io" | "bare timers";

/** A running contender: its server and the programs behind it. */
export interface Server {
  readonly contender: Contender;
  /** The URL for devices. */
  readonly url: string;
  readonly greeting: Greeting;
  /** The process that holds the connections. */
  readonly edge: Child;
  /** The subscriber that echoes; the bare `ws` server needs none. */
  readonly echo: Child | undefined;
  /** The process of the broker between them, if it is not nats-server. */
  readonly brokerPid: number | undefined;
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
  VOXBUS_MAX_CONNECTIONS: "1000000",
  VOXBUS_MAX_PER_ADDRESS: "1000000",
};

/** Starts socket.io on its own redis-server. Throws an error that tells why it cannot. */
export async function startSocketIo(options: { readonly fetch: boolean }): Promise<Server> {
  const redis = await startRedisServer(options);
  try {
    const args = [String(redis.port)];
    const edge = await startChild("socketio-edge", { args });
    const echo = await startChild("socketio-echo", { args });
    return {
      contender: "socket.io",
      url: edge.addresses["device"] ?? "",
      greeting: "socket.io",
      edge,
      echo,
      brokerPid: redis.pid,
      async stop() {
        await Promise.all([edge.stop(), echo.stop()]);
        await redis.stop();
      },
    };
  } catch (error) {
    await redis.stop();
    throw error;
  }
}

/** Starts a contender, each program in its own process. */
export async function startServer(
  contender: Exclude<Contender, "socket.io">,
  natsUrl: string,
  options: {
    /** Flags of Node for the process with the connections. */
    readonly flags?: readonly string[];
    /** Variables of the gateway. */
    readonly env?: Readonly<Record<string, string>>;
    /** False leaves out the program that echoes. */
    readonly echo?: boolean;
  } = {},
): Promise<Server> {
  const { flags = [], echo: hasEcho = true } = options;
  const usual = (await listPrograms()).find(({ program }) => program === "gateway")?.flags ?? [];
  const env = {
    VOXBUS_NATS_URL: natsUrl,
    VOXBUS_GATEWAY_ID: gatewayId,
    VOXBUS_GATEWAY_PORT: "0",
    VOXBUS_GATEWAY_OPS_PORT: "0",
    VOXBUS_ECHO_OPS_PORT: "0",
    ...raised,
    ...options.env,
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
        startChild("apps/gateway/dist/main.js", { env, flags: [...usual, ...flags] }),
        ...(hasEcho ? [startChild("examples/echo/dist/main.js", { env })] : []),
      ],
    }[contender](),
  );
  if (!edge) throw new Error(`${contender} has no server`);
  return {
    contender,
    url: edge.addresses["device"] ?? "",
    greeting: contender === "gateway" ? "hello" : "none",
    edge,
    echo,
    brokerPid: undefined,
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

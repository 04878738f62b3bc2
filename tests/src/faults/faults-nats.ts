import { setTimeout as sleep } from "node:timers/promises";
import { bucketNames } from "@voxbus/protocol";
import type { NatsServer } from "@voxbus/testing";
import type { Fault } from "./fault.ts";
import type { Stage } from "./stage.ts";

const programs = ["gateway", "asr", "tts", "dialogue", "monitor"] as const;

const allReady = (stage: Stage) => Promise.all(programs.map((program) => stage.world.ready(program)));

const restart = (options: { readonly wipe: boolean; readonly awayMs: number }) => async (stage: Stage) => {
  const [server] = stage.world.nats;
  await stage.next("mid sound");
  stage.strike("SIGKILL", [server!.pid]);
  await sleep(options.awayMs);
  await server!.restart({ wipe: options.wipe });
  await allReady(stage);
};

const pause = (server: (stage: Stage) => NatsServer, ms: number) => async (stage: Stage) => {
  const { pid } = server(stage);
  await stage.next("mid sound");
  stage.strike("SIGSTOP", [pid]);
  await sleep(ms);
  stage.strike("SIGCONT", [pid]);
  await allReady(stage);
};

const callForEach = (path: string) => async (stage: Stage) => {
  const [server] = stage.world.nats;
  await stage.next("mid sound");
  stage.begin();
  for (const bucket of bucketNames) await server!.callApi(`${path}.KV_voxbus_${bucket}`);
};

/** Calls `happen` with each node of a cluster in turn, each time in mid-answer. */
const eachNode = (happen: (node: NatsServer, stage: Stage) => Promise<void>) => async (stage: Stage) => {
  for (const node of stage.world.nats) {
    await stage.next("mid sound");
    await happen(node, stage);
    await allReady(stage);
    // Two of three nodes are needed, so the node must catch up before the next fault.
    await awaitReplicas(node);
  }
};

/** Waits until every stream of the cluster has all its replicas, up to date. */
async function awaitReplicas(node: NatsServer): Promise<void> {
  interface StreamList {
    readonly streams?: readonly {
      readonly cluster?: { readonly replicas?: readonly { readonly current: boolean }[] };
    }[];
  }
  for (;;) {
    const { streams = [] } = (await node.callApi("STREAM.LIST").catch(() => ({}))) as StreamList;
    const replicas = streams.map(({ cluster }) => cluster?.replicas ?? []);
    if (streams.length > 0 && replicas.every((list) => list.length === 2 && list.every(({ current }) => current)))
      return;
    await sleep(250);
  }
}

/** Faults of NATS and its data. */
export const natsFaults: readonly Fault[] = [
  {
    name: "kill -9 nats-server, back after 2 s with its data",
    world: "one",
    quick: true,
    happen: restart({ wipe: false, awayMs: 2000 }),
  },
  {
    name: "kill -9 nats-server, back after 2 s without its data",
    world: "one",
    happen: restart({ wipe: true, awayMs: 2000 }),
  },
  {
    name: "nats-server away for 10 s, with its data",
    world: "one",
    mayLose: { what: "speech", why: "said over 6 s before NATS was back" },
    happen: restart({ wipe: false, awayMs: 10_000 }),
  },
  {
    name: "SIGSTOP nats-server for 8 s",
    world: "one",
    happen: pause((stage) => stage.world.nats[0]!, 8000),
  },
  { name: "every bucket purged", world: "one", happen: callForEach("STREAM.PURGE") },
  { name: "every bucket deleted", world: "one", happen: callForEach("STREAM.DELETE") },
  {
    name: "kill -9 each node of a cluster in turn, back after 8 s",
    world: "cluster",
    happen: eachNode(async (node, stage) => {
      stage.strike("SIGKILL", [node.pid]);
      await sleep(8000);
      await node.restart();
    }),
  },
  {
    name: "SIGSTOP each node of a cluster in turn for 8 s",
    world: "cluster",
    happen: eachNode(async (node, stage) => {
      stage.strike("SIGSTOP", [node.pid]);
      await sleep(8000);
      stage.strike("SIGCONT", [node.pid]);
    }),
  },
];

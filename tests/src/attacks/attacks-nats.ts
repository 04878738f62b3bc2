import { setTimeout as sleep } from "node:timers/promises";
import { encodeSpeech, loadSpeech } from "@voxbus/testing";
import type { Attack, Scene } from "./attack.ts";
import { besiege, enter, repeat } from "./tools.ts";

const awayMs = 15_000;

/** Lets devices talk: speech in real time, and a text now and then. */
function chatter(scene: Scene, devices: number): Promise<void> {
  const speech = encodeSpeech(loadSpeech("hello"));
  return besiege(scene, devices, (device) => {
    device.send('{"type":"listen","state":"start","mode":"auto"}');
    return repeat(scene, 1000 / 60, (index) => {
      if (!device.open) return false;
      device.send(speech[index % speech.length]!);
      if (index % 400 === 399) device.send({ type: "listen", state: "detect", text: "what is 3 plus 4" });
      return undefined;
    });
  });
}

const streams = ["voxbus_DEVICE_IN", "voxbus_TURNS"] as const;

/** Lets the streams refuse every message, or take them again. */
async function refuseAll(scene: Scene, refuse: boolean): Promise<void> {
  for (const stream of streams) {
    const { config } = (await scene.system.nats.callApi(`STREAM.INFO.${stream}`)) as { readonly config: object };
    await scene.system.nats.callApi(`STREAM.UPDATE.${stream}`, { ...config, max_msg_size: refuse ? 1 : -1 });
  }
}

/** Faults of NATS while devices go on talking. */
export const natsAttacks: readonly Attack[] = [
  {
    name: "NATS stopped",
    title: "NATS is stopped for 15 s while 40 devices talk",
    happens: "frames wait within bounds; afterwards turns are answered",
    outage: "nothing reaches a program without NATS",
    leastMs: awayMs + 15_000,
    run: async (scene) => {
      const talking = chatter(scene, scene.scale(40));
      await sleep(2000);
      scene.system.nats.kill("SIGSTOP");
      await Promise.race([sleep(awayMs), scene.over]);
      scene.system.nats.kill("SIGCONT");
      await talking;
    },
  },
  {
    name: "JetStream refuses",
    title: "the streams refuse every message for 15 s while 20 devices talk; core NATS works",
    happens: "frames wait within bounds; afterwards turns are answered",
    outage: "no turn can be stored",
    leastMs: awayMs + 15_000,
    run: async (scene) => {
      const talking = chatter(scene, scene.scale(20));
      await sleep(2000);
      await refuseAll(scene, true);
      try {
        await Promise.race([sleep(awayMs), scene.over]);
        const newcomer = await enter(scene);
        scene.note(newcomer ? "newcomers admitted" : "newcomers refused");
        newcomer?.vanish();
      } finally {
        await refuseAll(scene, false);
      }
      await talking;
    },
  },
];

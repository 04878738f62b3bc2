import { setTimeout as sleep } from "node:timers/promises";
import { channels, decodeEnvelope, encodeEnvelope } from "@voxbus/protocol";
import { z } from "zod";
import { makeAbsurdValues } from "../fuzz/absurd.ts";
import { listStored, malformed } from "../fuzz/malformed.ts";
import { createRandom } from "../fuzz/random.ts";
import { makeBusMessage } from "../fuzz/subjects.ts";
import { connectVictims } from "../fuzz/victims.ts";
import type { Attack, Scene } from "./attack.ts";
import { besiege, crowd, enter, repeat } from "./tools.ts";

const envelope = (value: object) => encodeEnvelope(z.any(), value);

/** Publishes the same message at a rate. */
const publishAt = (perSecond: number, make: (scene: Scene) => { readonly subject: string; readonly data: Uint8Array }) => (scene: Scene) => {
  const { subject, data } = make(scene);
  return repeat(scene, perSecond, () => {
    scene.nats.publish(subject, data);
    scene.note("messages");
  });
}; // prettier-ignore

/** Asks a question for a device and complains unless it is answered. */
async function expectAnswer(scene: Scene, id: string): Promise<void> {
  const device = await enter(scene, { id });
  if (!device) return scene.complain(`${id} could not connect`);
  const answers: string[] = [];
  const watch = scene.nats.subscribe(channels.sayOpen(id).subject, {
    callback: (_, { data }) => void answers.push(decodeEnvelope(channels.sayOpen.schema, data).text),
  });
  const began = performance.now();
  device.send({ type: "listen", state: "detect", text: "what is nine times eight" });
  while (answers.length === 0 && performance.now() - began < 10_000) await sleep(20);
  watch.unsubscribe();
  device.vanish();
  const [answer = "nothing"] = answers;
  if (answer !== "That is 72.") return scene.complain(`a turn of ${id} was answered with "${answer}"`);
  scene.note("answered");
  return undefined;
}

const badProfiles: readonly object[] = [
  { timeZone: "Mars/Base" },
  { engines: { llm: "constructor", tts: "__proto__", asr: "toString" } },
  { language: "e" },
  { group: "a.b.>" },
  { deadlineMs: -1, lead: 99, silenceMs: "never" },
];

/** Changes the configuration of a stream, runs `work`, and restores it. */
async function withStream(scene: Scene, stream: string, change: object, work: () => Promise<void>): Promise<void> {
  const { nats } = scene.system;
  const { config } = (await nats.callApi(`STREAM.INFO.${stream}`)) as { readonly config: object };
  await nats.callApi(`STREAM.UPDATE.${stream}`, { ...config, ...change });
  try {
    await work();
  } finally {
    await nats.callApi(`STREAM.UPDATE.${stream}`, config);
  }
}

/** Attacks by a program on the bus: a team's own, or a broken one of ours. */
export const busAttacks: readonly Attack[] = [
  {
    name: "malformed bus messages",
    title: "malformed messages on every subject and bucket key, 400 a second",
    happens: "skipped, counted and logged without their values",
    writesKeys: true,
    quick: true,
    leastMs: 30_000,
    run: async (scene) => {
      const absurd = makeAbsurdValues(7);
      const victims = await connectVictims(scene.url, 4);
      try {
        await repeat(scene, 400, (index) => {
          const to = { gateway: scene.gateway, victims: victims.sessions() };
          const { subject, data } = makeBusMessage(createRandom(7, "attack", index), to, absurd);
          scene.nats.publish(subject, data);
          scene.note("messages");
        });
      } finally {
        await victims.close();
      }
    },
  },
  {
    name: "malformed stored messages",
    title: "a malformed message on every stored subject and bucket key of a bystander, again and again",
    happens: "skipped; the turns are answered as without them",
    writesKeys: true,
    run: (scene) =>
      crowd(scene, { atOnce: 1 }, async (index) => {
        const [, bad] = malformed[index % malformed.length]!;
        for (const subject of listStored("bystander", "x")) await scene.nats.request(subject, bad).catch(() => undefined);
        scene.note("rounds");
        await sleep(1000);
      }),
  },
  {
    name: "out frame of 70,000 bytes",
    title: "numbered replies with 70,000 bytes of audio for a device of framing 3",
    happens: "refused as `bad-envelope`; the session goes on",
    quick: true,
    run: (scene) =>
      besiege(scene, 1, (device) => {
        device.send({ type: "listen", state: "stop" });
        const { session } = device;
        const reply = { session, origin: 1, reply: "attack", attempt: 1, sentence: 0 };
        return repeat(scene, 20, (n) => {
          if (!device.open) return false;
          const audio = { kind: "audio", duration: 60, body: new Uint8Array(70_000) };
          for (const frame of [{ ...reply, n, ...audio }, { session, ...audio }, audio])
            scene.nats.publish(channels.out("attacker-large").subject, envelope(frame));
          scene.note("frames", 3);
          return undefined;
        });
      }, { id: "attacker-large", framing: 3 }),
  },
  {
    name: "refused farewell",
    title: "farewells that the stream refuses, as too long",
    happens: "the session is closed with 1011 `error`",
    logs: /session failed, closing/,
    run: (scene) =>
      withStream(scene, "voxbus_TURNS", { max_msg_size: 650 }, async () => {
        const profile = JSON.stringify({ silenceMs: 500, farewell: "再见".repeat(100) });
        const ids = Array.from({ length: 5 }, (_, n) => `attacker-silent-${n}`);
        for (const id of ids) await scene.nats.request(`$KV.voxbus_profiles.${id}`, profile);
        await Promise.all(
          ids.map(async (id) => {
            while (!scene.isOver) {
              const device = await enter(scene, { id });
              device?.send({ type: "listen", state: "start", mode: "auto" });
              await Promise.race([device?.closed, scene.over]);
              device?.vanish();
              await sleep(100);
            }
          }),
        );
      }),
  },
  {
    name: "poisoned profiles",
    title: "impossible time zones, engines and groups in the profiles of devices, of all devices too",
    happens: "each invalid field counts as absent; the turns are answered",
    leastMs: 30_000,
    run: async (scene) => {
      await crowd(scene, { atOnce: 1 }, async (index) => {
        const bad = badProfiles[index % badProfiles.length]!;
        const id = `attacked-${index % badProfiles.length}`;
        await scene.nats.request(`$KV.voxbus_profiles.${id}`, JSON.stringify(bad));
        await scene.nats.request("$KV.voxbus_profiles.=default", JSON.stringify(bad));
        await sleep(200);
        await expectAnswer(scene, id);
      });
      await scene.nats.request("$KV.voxbus_profiles.=default", "{}");
    },
  },
  {
    name: "flood of out",
    title: "20,000 frames a second for one device",
    happens: "its device is closed with 4003, or its frames are dropped",
    run: (scene) =>
      besiege(scene, 1, () => publishAt(20_000, () => ({
        subject: channels.out("attacker-flooded").subject,
        data: envelope({ kind: "audio", duration: 60, body: new Uint8Array(120) }),
      }))(scene), { id: "attacker-flooded" }),
  },
  {
    name: "flood of out without a reader",
    title: "20,000 frames a second for a device that does not exist",
    happens: "dropped by NATS",
    run: publishAt(20_000, () => ({
      subject: channels.out("attacker-nobody").subject,
      data: envelope({ kind: "text", body: { type: "llm", emotion: "happy" } }),
    })),
  },
  {
    name: "flood of events",
    title: "5,000 events a second about a device that does not exist",
    happens: "read and counted",
    run: publishAt(5000, ({ gateway }) => ({
      subject: channels.event("attacker-nobody").subject,
      data: envelope({ session: "s", at: Date.now(), gateway, state: "idle" }),
    })),
  },
  {
    name: "events of many devices",
    title: "2,000 events a second, each about another device",
    happens: "read and counted; the memory of them is bounded",
    run: (scene) => repeat(scene, 2000, (index) => {
      scene.nats.publish(channels.event(`attacker-${index}`).subject, envelope({ session: `s${index}`, at: Date.now(), gateway: scene.gateway, state: "idle" }));
      scene.note("messages");
    }),
  },
  {
    name: "flood of fleet.out",
    title: "500 faces a second for every device",
    happens: "written to every device",
    run: publishAt(500, () => ({
      subject: channels.fleetOut().subject,
      data: envelope({ kind: "text", body: { type: "llm", emotion: "happy" } }),
    })),
  },
  {
    name: "malformed fleet.out",
    title: "10,000 malformed frames a second for every device",
    happens: "refused as `bad-envelope`",
    run: publishAt(10_000, () => ({ subject: channels.fleetOut().subject, data: Buffer.from("{") })),
  },
  {
    name: "flood of stats and alerts",
    title: "2,000 malformed numbers and alerts a second",
    happens: "skipped",
    run: (scene) => repeat(scene, 2000, (index) => {
      scene.nats.publish(index % 2 ? channels.stats("asr").subject : channels.alert("high").subject, Buffer.from("{"));
      scene.note("messages");
    }),
  },
  {
    name: "replay requests",
    title: "300 requests a second for the frames of a session, from the first to the last",
    happens: "answered with at most the frames kept",
    run: (scene) =>
      besiege(scene, 1, async (device) => {
        for (let n = 0; n < 15; n += 1) device.send({ type: "listen", state: "stop" });
        const { session } = device;
        await publishAt(300, ({ gateway }) => ({
          subject: channels.replay(gateway).subject,
          data: envelope({ session, from: 1, to: 1_000_000 }),
        }))(scene);
      }),
  },
]; // prettier-ignore

import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connectRaw } from "@voxbus/testing";
import { dripBytes } from "../faults/guests.ts";
import { makeUpgrade } from "../fuzz/seeds.ts";
import type { Attack, Scene } from "./attack.ts";
import { ask, besiege, crowd, enter, openSocket, repeat } from "./tools.ts";

/** The attacker's own descriptors: it lets go of the oldest connections. */
const mostSockets = 8000;

/** Opens connections, writes `bytes`, and never closes them, `count` in all. */
async function hoard(scene: Scene, ports: readonly number[], count: number, bytes: string): Promise<void> {
  const sockets: Socket[] = [];
  await crowd(scene, { atOnce: 20, count }, async (index) => {
    const socket = await openSocket(ports[index % ports.length]!);
    scene.note(socket ? "connections" : "not connected");
    if (!socket) return sleep(20);
    if (bytes !== "") socket.write(bytes);
    sockets.push(socket);
    if (sockets.length > mostSockets) sockets.shift()?.destroy();
    return undefined;
  });
  await scene.over;
  scene.note("open at the end", sockets.filter(({ destroyed, readableEnded }) => !destroyed && !readableEnded).length);
  for (const socket of sockets) socket.destroy();
}

const portOf = (url: string) => Number(new URL(url).port);
const everyPort = (scene: Scene) => [scene.port, portOf(scene.monitor), ...[...scene.ops.values()].map(portOf)];
const otherPorts = (scene: Scene) => everyPort(scene).slice(1);

/** A request whose header never ends. */
const endless = "GET /xiaozhi/v1/ HTTP/1.1\r\nHost: x\r\nX-Padding: a long header of no use\r\n";

/** Attacks with connections, before any device is known. */
export const connectionAttacks: readonly Attack[] = [
  {
    name: "refused upgrades",
    title: "20,000 refused upgrades from one address, whose sockets the attacker keeps",
    happens: "each is refused, and its descriptor is freed at once",
    leastMs: 30_000,
    // Each program has 20 to 40 of its own.
    mostHandles: 200,
    run: async (scene) => {
      const bad = makeUpgrade("x", 1).replace("/xiaozhi/v1/", "/nowhere");
      await hoard(scene, [scene.port], scene.scale(20_000), bad);
    },
  },
  {
    name: "idle connections, gateway",
    title: "connections to the gateway that say nothing, 8,000 open",
    happens: "the oldest or the newest are ended; other addresses connect as before",
    run: (scene) => hoard(scene, [scene.port], scene.scale(8000), ""),
  },
  {
    name: "idle connections, other ports",
    title: "connections to the operations ports and the monitor that say nothing, 8,000 open",
    happens: "probes, metrics and the page are answered",
    // A handful of probes and readers is normal.
    mostHandles: 800,
    run: (scene) => hoard(scene, otherPorts(scene), scene.scale(8000), ""),
  },
  {
    name: "half requests",
    title: "requests on every port whose headers never end, 3,000 open",
    happens: "each is cut off after 10 s",
    run: (scene) => hoard(scene, everyPort(scene), scene.scale(3000), endless),
  },
  {
    name: "slow headers",
    title: "300 requests on every port that send a byte a second",
    happens: "each is cut off after 10 s, however slowly it sends",
    leastMs: 30_000,
    run: async (scene) => {
      const drip = async (port: number) => {
        while (!scene.isOver) {
          const openMs = await dripBytes(`http://127.0.0.1:${port}`, endless, 1000, scene.ms);
          scene.note("cut off");
          if (openMs > 20_000) scene.complain(`a request stayed open for ${Math.round(openMs / 1000)} s on port ${port}`);
          await sleep(50);
        }
      };
      const ports = everyPort(scene);
      await Promise.all(Array.from({ length: scene.scale(300) }, (_, n) => drip(ports[n % ports.length]!)));
    },
  },
  {
    name: "no hello, below the limit",
    title: "900 upgrades without a hello, kept up",
    happens: "closed with 4000 after 10 s",
    leastMs: 30_000,
    run: (scene) => besiege(scene, scene.scale(900), (device) => Promise.race([device.closed, scene.over]).then(() => undefined), { hello: false }),
  },
  {
    name: "no hello, above the limit",
    title: "3,000 upgrades without a hello, kept up",
    happens: "refused with 503, or closed with 4000 after 10 s",
    leastMs: 30_000,
    run: (scene) => besiege(scene, scene.scale(3000), (device) => Promise.race([device.closed, scene.over]).then(() => undefined), { hello: false }),
  },
  {
    name: "slow readers",
    title: "60 devices ask for a story and read nothing",
    happens: "play-out waits; closed with 4003",
    leastMs: 30_000,
    run: async (scene) => {
      const readers: Socket[] = [];
      const count = scene.scale(60);
      // All at once would be a load of 60 stories, which is another attack.
      await repeat(scene, (2000 * count) / scene.ms, () => {
        const reader = connectRaw(`attacker-${randomUUID()}`, scene.url);
        readers.push(reader);
        reader.on("error", () => reader.destroy());
        reader.pause();
        const text = Buffer.from('{"type":"listen","state":"detect","text":"tell me a story"}');
        reader.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
        return readers.length < count ? undefined : false;
      });
      await scene.over;
      for (const reader of readers) reader.destroy();
    },
  },
  {
    name: "reconnects",
    title: "devices that connect, say hello and leave, as fast as they can",
    happens: "each session ends without a trace",
    run: (scene) =>
      crowd(scene, { atOnce: 20 }, async () => {
        const device = await enter(scene);
        device?.vanish();
        scene.note("connects");
        if (!device) await sleep(100);
      }),
  },
  {
    name: "one id, many sessions",
    title: "one device id that takes its own session over, as fast as it can",
    happens: "the newest session wins; the others are closed with 4001",
    run: (scene) =>
      crowd(scene, { atOnce: 4 }, async () => {
        const device = await enter(scene, { id: "attacker-twin" });
        scene.note("connects");
        await sleep(20);
        device?.vanish();
      }),
  },
  {
    name: "token guessing",
    title: "guessed tokens, as fast as they are refused",
    happens: "each is refused with 401, and guesses are throttled",
    world: "tokens",
    run: (scene) =>
      crowd(scene, { atOnce: 20 }, async (index) => {
        const device = await enter(scene, { id: "bound-1", token: `token-of-bound-device-x${index}` });
        if (device) scene.complain("a guessed token was accepted");
        device?.vanish();
      }),
  },
  {
    name: "configuration requests",
    title: "requests for a configuration without a pause, with 60 KB of body",
    happens: "answered, or refused with 503; never with the unbound token",
    world: "tokens",
    run: (scene) => {
      const body = JSON.stringify({ application: { version: "1" }, padding: "x".repeat(60_000) });
      return crowd(scene, { atOnce: 20 }, async (index) => {
        const { status, body: answer } = await ask(scene.ota, { method: "POST", headers: { "Device-Id": `bound-${index % 30}` }, body });
        scene.note(`answered ${status}`);
        if (/token-of-every/.test(answer)) scene.complain("OTA gave the unbound token away");
      });
    },
  },
]; // prettier-ignore

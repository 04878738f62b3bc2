import { setTimeout as sleep } from "node:timers/promises";
import type { TestDevice } from "@voxbus/testing";
import type { Fault } from "./fault.ts";
import { dripBytes, dripFrame, openGuest } from "./guests.ts";

const stormSize = 2000;
/** The longest time until all devices of a storm are back, ms. A gateway's limits are 2,000 at once and 1,000 a second. */
const stormMs = 30_000;
/** The time in which a device misbehaves while the others talk, ms. */
const misbehaveMs = 15_000;

const ask = (guest: TestDevice, text: string) => guest.send({ type: "listen", state: "detect", text });

/** Faults of devices, which other devices must not notice. */
export const deviceFaults: readonly Fault[] = [
  {
    name: "a device stops reading in mid-answer",
    world: "one",
    withinMs: 5000,
    happen: async (stage) => {
      const guest = await openGuest(stage.world.urls[0]!);
      ask(guest, "tell me a story");
      await stage.next("mid sound");
      stage.begin();
      guest.pause();
      await sleep(misbehaveMs);
      guest.vanish();
    },
  },
  {
    name: "a device sends a byte a second",
    world: "one",
    withinMs: 5000,
    happen: async (stage) => {
      stage.begin();
      const [url] = stage.world.urls;
      const upgrade =
        "GET /xiaozhi/v1/ HTTP/1.1\r\nHost: x\r\nDevice-Id: dripping\r\nX-Padding: a long header of no use\r\n";
      const guest = await openGuest(url!);
      const [openMs] = await Promise.all([dripBytes(url!, upgrade, 1000, 20_000), dripFrame(guest, 1000, 15)]);
      guest.vanish();
      if (openMs > 15_000)
        stage.complain(`a request of a byte a second stayed open for ${Math.round(openMs / 1000)} s`);
    },
  },
  {
    name: "a device floods: texts, and sound of 20 devices",
    world: "one",
    withinMs: 5000,
    happen: async (stage) => {
      const [texts, sounds] = await Promise.all([openGuest(stage.world.urls[0]!), openGuest(stage.world.urls[0]!)]);
      stage.begin();
      const closed = texts.closed.then(({ code }) => code);
      for (let i = 0; i < 1000; i += 1) ask(texts, `what is ${i} plus ${i}`);
      const code = await Promise.race([closed, sleep(5000, 0)]);
      if (code !== 4004) stage.complain(`a flood of texts was closed with ${code}, not 4004`);
      sounds.send('{"type":"listen","state":"start","mode":"auto"}');
      const until = performance.now() + misbehaveMs;
      while (performance.now() < until && sounds.open) {
        for (let i = 0; i < 20; i += 1) sounds.send(Buffer.alloc(300, i));
        await sleep(60);
      }
      sounds.vanish();
    },
  },
  {
    name: "devices cut TCP in mid-turn, without Close",
    world: "one",
    withinMs: 5000,
    happen: async (stage) => {
      stage.begin();
      const ids = Array.from({ length: 10 }, (_, i) => `cutter-${i}-${Date.now().toString(36)}`);
      await Promise.all(
        ids.map(async (id, i) => {
          const guest = await openGuest(stage.world.urls[i % stage.world.urls.length]!, id);
          ask(guest, "tell me a story");
          await guest.next(() => true);
          await sleep(500);
          guest.vanish();
        }),
      );
      const until = performance.now() + 12_000;
      const online = () => ids.filter((id) => stage.world.presence.online(id) !== undefined);
      while (online().length > 0 && performance.now() < until) await sleep(50);
      if (online().length > 0) stage.complain(`${online().length} disconnected devices are online after 12 s`);
    },
  },
  {
    name: "2,000 devices come back at once",
    world: "one",
    withinMs: 10_000,
    happen: async (stage) => {
      let refused = 0;
      const come = async (i: number, since: number): Promise<TestDevice | undefined> => {
        for (let tries = 0; performance.now() - since < stormMs; tries += 1) {
          try {
            return await openGuest(stage.world.urls[(i + tries) % stage.world.urls.length]!, `storm-${i}`);
          } catch {
            refused += 1; // devices try again, a little later each time
            await sleep(200 * 2 ** Math.min(tries, 4) * (0.5 + Math.random()));
          }
        }
        return undefined;
      };
      const comeAll = async () => {
        const since = performance.now();
        return Promise.all(Array.from({ length: stormSize }, (_, i) => come(i, since)));
      };
      const first = await comeAll();
      stage.begin();
      for (const guest of first) guest?.vanish();
      const again = await comeAll();
      const missing = again.filter((guest) => guest === undefined).length;
      if (missing > 0)
        stage.complain(`${missing} of ${stormSize} were not back after ${stormMs / 1000} s (${refused} refusals)`);
      for (const guest of again) guest?.vanish();
    },
  },
];

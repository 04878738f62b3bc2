import { connect, type NatsConnection } from "@nats-io/transport-node";
import { startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { listStored, malformed } from "../fuzz/malformed.ts";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";
import { isMessage, nameMessages, oneSentenceTurn, readSentences, startDevice } from "./scripted-device.ts";

vi.setConfig({ testTimeout: 90_000 });

let nats: NatsServer;
let client: NatsConnection;
let system: LaunchedSystem;
beforeAll(async () => {
  nats = await startNatsServer();
  client = await connect({ servers: nats.url });
  system = await launchSystem({ env: { VOXBUS_NATS_URL: nats.url } });
});
afterAll(async () => {
  await system.close();
  await client.close();
  await nats.stop();
});

test.concurrent.each(malformed)(
  "malformed: with a stored message (%s) on every subject and bucket key, turns are answered as without it",
  async (id, bad) => {
    await client.request(`$KV.voxbus_presence.${id}`, bad);
    await client.request(`$KV.voxbus_devices.${id}`, bad);
    const device = await startDevice(system.devices[0]!, id);
    try {
      const session = String(device.lines.find(isMessage({ type: "hello" }))?.message?.["session_id"]);
      const put = () => Promise.all(listStored(id, session).map((subject) => client.request(subject, bad)));

      await put();
      await device.do({ do: "text", text: "what is nine times eight" });
      expect(readSentences(await device.turn())).toEqual(["That is 72."]);
      await put();
      await device.do({ do: "wav", file: "samples/sum.wav" });
      const turn = await device.turn();
      expect(nameMessages(turn)).toEqual(oneSentenceTurn);
      expect(readSentences(turn)).toEqual(["That is 12."]);
    } finally {
      await device.end();
    }
  },
);

import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";
import { isAudio, isMessage, startDevice } from "./scripted-device.ts";

vi.setConfig({ testTimeout: 60_000 });

let system: LaunchedSystem;
beforeAll(async () => {
  system = await launchSystem();
});
afterAll(() => system.close());

test.each(["realtime", "auto", "manual"])(
  "listen, %s mode: speech, typed text and aborts in turn are all answered on one connection",
  async (mode) => {
    const device = await startDevice(system.devices[0]!, `mixed-${mode}`, "--mode", mode, "--relisten");
    const heard = async (text: string) => {
      await device.next(isMessage({ type: "stt", text }));
      await device.next(isAudio);
    };
    const say = async (sample: string, text: string) => {
      await device.do({ do: "wav", file: `samples/${sample}.wav` });
      if (mode === "manual") await device.do({ do: "stop" });
      await heard(text);
    };
    const abort = async () => {
      await device.do({ do: "abort" });
      await device.next(isMessage({ type: "tts", state: "stop" }));
    };
    await say("time", "what time is it");
    await device.next(isMessage({ type: "tts", state: "stop" }));
    await device.do({ do: "text", text: "tell me a long story" });
    await heard("tell me a long story");
    await abort();
    await say("joke", "tell me a joke");
    await abort();
    await device.do({ do: "text", text: "what time is it" });
    await heard("what time is it");
    await device.next(isMessage({ type: "tts", state: "stop" }));
    const starts = device.lines.filter(({ sent }) => sent?.["state"] === "start");
    if (mode === "realtime") expect(starts).toHaveLength(1);
    await device.end();
  },
);

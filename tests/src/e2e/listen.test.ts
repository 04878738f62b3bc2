import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";
import { isAudio, isMessage, startDevice, type ScriptedDevice } from "./scripted-device.ts";

vi.setConfig({ testTimeout: 60_000 });

const root = fileURLToPath(new URL("../../../", import.meta.url));
const stopped = isMessage({ type: "tts", state: "stop" });

let system: LaunchedSystem;
beforeAll(async () => {
  system = await launchSystem();
});
afterAll(() => system.close());

/** Waits for the transcript and for the sound of the answer. */
async function expectAnswer(device: ScriptedDevice, text: string): Promise<void> {
  await device.next(isMessage({ type: "stt", text }));
  await device.next(isAudio);
}

/** Counts the `listen` `start` messages that the device has sent. */
function countStarts({ lines }: ScriptedDevice): number {
  return lines.filter(({ sent }) => sent?.["type"] === "listen" && sent["state"] === "start").length;
}

// The number of starts that stock firmware sends (docs/protocol.md, life of a device): in auto mode one after each answer.
test.concurrent.each([
  ["realtime", 2],
  ["auto", 5],
  ["manual", 3],
])(
  "listen, %s mode: a wake word, speech, typed text and aborts in turn are all answered on one connection",
  async (mode, starts) => {
    const device = await startDevice(system.devices[0]!, `mixed-${mode}`, "--mode", mode);
    const wake = { do: "wake", text: "Hi, ESP" };
    const say = async (sample: string, text: string) => {
      await device.do({ do: "wav", file: `samples/${sample}.wav` });
      if (mode === "manual") await device.do({ do: "stop" });
      await expectAnswer(device, text);
    };
    // In auto mode the device listens again only when it has played the answer, unless the next one begins before.
    const answered = async () => {
      await device.next(stopped);
      if (mode === "auto") await device.next(({ sent }) => sent?.["state"] === "start");
    };
    if (mode !== "manual") await device.do(wake);
    await say("time", "what time is it");
    await answered();
    await device.do({ do: "text", text: "tell me a long story" });
    await expectAnswer(device, "tell me a long story");
    // With push to talk, a press in mid-answer aborts it and listens.
    await device.do(mode === "manual" ? { do: "press" } : { do: "button" });
    await device.next(stopped);
    await say("joke", "tell me a joke");
    await device.do(mode === "manual" ? { do: "press" } : wake);
    await device.next(stopped);
    await device.do({ do: "text", text: "what is seven plus five" });
    await expectAnswer(device, "what is seven plus five");
    await answered();
    expect(countStarts(device)).toBe(starts);
    await device.end();
  },
);

test.concurrent(
  "listen: a device that streams on after a Close frame disturbs no one, least of all its successor",
  async () => {
    const first = await startDevice(system.devices[0]!, "twin", "--mode", "realtime");
    await first.do({ do: "listen" });
    const said = first.do({ do: "wav", file: "samples/joke.wav", wait: false });
    await said;
    const second = await startDevice(system.devices[0]!, "twin");
    const closed = await first.next(({ got }) => got === "close");
    expect(closed).toMatchObject({ code: 4001, reason: "replaced" });
    await second.do({ do: "wav", file: "samples/sum.wav" });
    await expectAnswer(second, "what is seven plus five");
    expect(second.lines.some(isMessage({ type: "stt", text: "tell me a joke" }))).toBe(false);
    await Promise.all([first.end(), second.end()]);
  },
);

test.concurrent("listen: a device that hung up connects again for the next question", async () => {
  const device = await startDevice(system.devices[0]!, "back", "--reconnect", "use");
  await device.do({ do: "wav", file: "samples/sum.wav" });
  await expectAnswer(device, "what is seven plus five");
  await device.next(stopped);
  await device.next(({ sent }) => sent?.["state"] === "start");
  await device.do({ do: "button" });
  await device.next(({ got }) => got === "close");
  await device.do({ do: "wav", file: "samples/time.wav" });
  await expectAnswer(device, "what time is it");
  expect(device.lines.filter(isMessage({ type: "hello" }))).toHaveLength(2);
  await device.end();
});

test.concurrent("device program: recordings and typed text in turn are answered, with exit code 0", async () => {
  const run = promisify(execFile);
  const inputs = ["--wav", "samples/time.wav", "--text", "what is seven plus five"];
  const { stdout } = await run(
    process.execPath,
    ["apps/simulator/dist/device.js", "--url", system.devices[0]!, "--out", "/dev/null", "--id", "mixed", ...inputs],
    { cwd: root },
  );
  expect(stdout.match(/first sound/g)).toHaveLength(2);
});

test.concurrent("fleet program: of mixed turns of devices that go on listening, none is lost", async () => {
  const run = promisify(execFile);
  const plan = ["--devices", "3", "--rate", "1", "--minutes", "0.1", "--connect-rate", "10", "--listening"];
  const { stdout } = await run(
    process.execPath,
    ["apps/simulator/dist/fleet.js", "--url", system.devices[0]!, ...plan],
    {
      cwd: root,
    },
  );
  expect(stdout).toMatch(/turns: \d+ started, \d+ answered, 0 lost/);
});

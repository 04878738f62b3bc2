import * as fc from "fast-check";
import { expect, test } from "vitest";
import { startFirmware, step, type Build, type Firmware, type FirmwareEvent } from "./firmware.ts";

const auto: Build = { toggleMode: "auto", relistens: true };
const realtime: Build = { toggleMode: "realtime", relistens: true };

/** Takes events one after the other. Returns the last state and the reactions to each event, joined. */
function run(build: Build, ...events: readonly FirmwareEvent[]) {
  let device = startFirmware("auto");
  const reactions = events.map((event) => {
    const next = step(device, event, build);
    device = next.device;
    return next.reactions.join(" ");
  });
  return [...reactions, device.state];
}

test.each<[string, Build, readonly FirmwareEvent[], readonly string[]]>([
  ["button: it connects, then listens", auto, ["button", "connected"], ["connect", "listen/start", "listening"]],
  ["wake word: it announces the word first", auto, ["wake", "connected"], ["connect", "detect listen/start", "listening"]],
  ["button while listening: it hangs up", auto, ["connected", "button", "button"], ["", "listen/start", "disconnect", "idle"]],
  [
    "auto: an answer turns the microphone off, and it listens again once the answer was played",
    auto,
    ["connected", "button", "tts/start", "tts/stop", "drained"],
    ["", "listen/start", "clear", "drain", "listen/start", "listening"],
  ],
  [
    "realtime: one start, also after an abort",
    realtime,
    ["connected", "button", "tts/start", "button", "tts/stop", "tts/start", "tts/stop"],
    ["", "listen/start", "clear", "abort", "", "clear", "", "listening"],
  ],
  [
    "realtime: an answer to a device that did not listen is followed by a start",
    realtime,
    ["connected", "tts/start", "tts/stop", "drained"],
    ["", "clear", "drain", "listen/start", "listening"],
  ],
  [
    "manual: an answer ends in idle, and a press in mid-answer aborts it",
    auto,
    ["connected", "press", "release", "tts/start", "press", "release", "tts/start", "tts/stop"],
    ["", "listen/start", "listen/stop", "clear", "abort listen/start", "listen/stop", "clear", "", "idle"],
  ],
  [
    "abort by the button: it goes on speaking until the stop comes",
    auto,
    ["connected", "button", "tts/start", "button"],
    ["", "listen/start", "clear", "abort", "speaking"],
  ],
  [
    "wake word in mid-answer: it aborts and starts, in realtime too",
    realtime,
    ["connected", "button", "tts/start", "wake"],
    ["", "listen/start", "clear", "abort/wake listen/start", "listening"],
  ],
  ["a stop without a start changes nothing", auto, ["connected", "tts/stop"], ["", "", "idle"]],
  ["an answer while it connects changes nothing", auto, ["button", "tts/start"], ["connect", "", "connecting"]],
  [
    "the end of the connection: idle, and the next button connects again",
    auto,
    ["connected", "button", "closed", "button"],
    ["", "listen/start", "", "connect", "connecting"],
  ],
  ["a connection that fails: idle again", auto, ["button", "closed"], ["connect", "", "idle"]],
])("firmware: %s", (_rule, build, events, expected) => {
  expect(run(build, ...events)).toEqual(expected);
}); // prettier-ignore

const events: readonly FirmwareEvent[] = [
  "button", "press", "release", "wake", "connected", "closed", "tts/start", "tts/stop", "drained",
]; // prettier-ignore

test("firmware: whatever happens, the microphone is on only while it listens, or speaks in realtime mode", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...events)), fc.constantFrom(auto, realtime), (list, build) => {
      let device: Firmware = startFirmware("auto");
      for (const event of list) {
        const next = step(device, event, build);
        const turnedOn = next.device.hasMicrophone && !device.hasMicrophone;
        device = next.device;
        // A server learns from a start that audio follows.
        if (turnedOn) expect(next.reactions).toContain("listen/start");
        if (device.hasMicrophone && device.state !== "listening") expect(device.mode).toBe("realtime");
        if (!device.isConnected) expect(next.reactions.filter((one) => one !== "connect")).toEqual([]);
      }
    }),
  );
});

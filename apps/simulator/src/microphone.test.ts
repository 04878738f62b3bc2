import { expect, test } from "vitest";
import { createMicrophone } from "./microphone.ts";
import type { Utterance } from "./utterance.ts";

const utterance = (frames: number, voiced = frames): Utterance => ({
  packets: Array.from({ length: frames }, (_, i) => Uint8Array.of(i + 1, 0)),
  voiced,
  ms: frames * 60,
});
const silence = () => Uint8Array.of(0);
// Less than the stall, so that a clock that drifts by the stall fails; more than a busy machine takes.
const slackMs = 150;

test("microphone: frames keep an absolute clock through a stall of the process", async () => {
  const times: number[] = [];
  const microphone = createMicrophone({
    silence,
    send: () => {
      times.push(performance.now());
      if (times.length === 3) while (performance.now() < times[2]! + 200);
    },
  });
  const start = performance.now();
  microphone.turnOn();
  const { complete } = await microphone.speak(utterance(9));
  microphone.turnOff();
  expect(complete).toBe(true);
  expect(times).toHaveLength(9);
  for (const [n, time] of times.entries()) {
    const due = start + 60 * (n + 1);
    expect(time).toBeGreaterThanOrEqual(due - 2);
    // Frames 4 to 6 were due during the stall: they are sent together after it.
    expect(time).toBeLessThan((n >= 3 && n <= 5 ? times[2]! + 200 : due) + slackMs);
  }
});

test("microphone: it sends silence before and after speech, numbered from 0, and returns the end of speech", async () => {
  const sent: number[] = [];
  const microphone = createMicrophone({
    silence: (n) => Uint8Array.of(100 + n),
    send: (packet) => sent.push(packet[0]!),
  });
  microphone.turnOn();
  const before = performance.timeOrigin + performance.now();
  const { speechEnd } = await microphone.speak(utterance(3, 2));
  await expect.poll(() => sent.length).toBe(5);
  await microphone.speak(utterance(1));
  microphone.turnOff();
  expect(sent).toEqual([1, 2, 3, 100, 101, 1]);
  expect(speechEnd! - before).toBeGreaterThan(110);
  expect(speechEnd! - before).toBeLessThan(170);
});

test("microphone: turning it off cuts the speech and sends nothing more", async () => {
  const sent: Uint8Array[] = [];
  const microphone = createMicrophone({
    silence,
    send: (packet) => {
      sent.push(packet);
      if (sent.length === 2) microphone.turnOff();
    },
  });
  microphone.turnOn();
  expect(await microphone.speak(utterance(5))).toEqual({ speechEnd: undefined, complete: false });
  expect(microphone.on).toBe(false);
  expect(() => microphone.speak(utterance(1))).toThrow("off");
  expect(sent).toHaveLength(2);
});

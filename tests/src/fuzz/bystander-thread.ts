import { parentPort, workerData } from "node:worker_threads";
import { openTestDevice } from "@voxbus/testing";
import type { BystanderReport } from "./bystander.ts";

// In its own thread it measures the latency of the system, not that of the input generator.
const { url, ota } = workerData as { readonly url: string; readonly ota: string };
const id = "bystander";
const pingMs = 250;
const timeoutMs = 45_000;

const report: BystanderReport = { pings: [], turns: [], configurations: [], problems: [] };
let pingedAt = 0;
let askedAt = 0;
let spoken = "";
let awake = performance.now();
let ending = false;

const ask = () => {
  askedAt = performance.now();
  spoken = "";
  device.send({ type: "listen", state: "detect", text: "what time is it" });
};
const handlers: Readonly<Record<string, (message: Readonly<Record<string, unknown>>) => void>> = {
  pong: () => {
    report.pings.push(performance.now() - pingedAt);
    pingedAt = 0;
  },
  tts: ({ state, text }) => {
    if (state === "sentence_start" && spoken === "") {
      spoken = String(text);
      if (!/It'?s|It is/.test(spoken)) report.problems.push(`"what time is it" was answered with "${spoken}"`);
      else report.turns.push(performance.now() - askedAt);
    }
    if (state !== "stop" || spoken === "") return;
    awake = performance.now();
    if (!ending) setTimeout(ask, 100);
  },
};
const device = await openTestDevice(url, {
  id,
  headers: { "Protocol-Version": "1" },
  hello: { type: "hello", version: 1, transport: "websocket", features: {} },
  onReceived: (message) => ("json" in message ? handlers[String(message.json["type"])]?.(message.json) : undefined),
});
void device.closed.then(({ code, reason }) => {
  if (!ending) report.problems.push(`its session closed: ${code} ${reason}`);
});
parentPort?.postMessage("ready", []);
ask();

const timer = setInterval(() => {
  const now = performance.now();
  if (now - awake > timeoutMs) {
    report.problems.push(`a turn did not end within ${timeoutMs} ms (it heard "${spoken}")`);
    awake = now;
    ask();
  }
  if (pingedAt > 0 && now - pingedAt > timeoutMs) {
    report.problems.push(`a ping was not answered within ${timeoutMs} ms`);
    pingedAt = 0;
  }
  if (pingedAt > 0 || !device.open) return;
  pingedAt = now;
  device.send({ type: "ping" });
}, pingMs);

const configure = async () => {
  const began = performance.now();
  try {
    const answer = await fetch(ota, { method: "POST", body: "{}", headers: { "Device-Id": id } });
    await answer.json();
    report.configurations.push(performance.now() - began);
  } catch (error) {
    report.problems.push(`the request for its configuration failed: ${String(error)}`);
  }
};
const asking = setInterval(() => void configure(), 1000);

// The last question must be answered too.
const finish = () => {
  clearInterval(timer);
  clearInterval(asking);
  device.vanish();
  parentPort?.postMessage(report, []);
  parentPort?.close();
};
parentPort?.on("message", () => {
  ending = true;
  const waiting = setInterval(() => {
    const isOver = awake > askedAt;
    if (!isOver && performance.now() - askedAt < timeoutMs && device.open) return;
    clearInterval(waiting);
    if (!isOver) report.problems.push("its last turn did not end in time");
    finish();
  }, 50);
});

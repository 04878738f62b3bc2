import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { openTestDevice } from "@voxbus/testing";
import { nameBystander, type BystanderOptions, type BystanderReport } from "./bystander.ts";

// In its own thread it measures the latency of the system, not that of the input generator.
const { url, ota, devices = 1, token } = workerData as BystanderOptions;
const pingMs = 250;
/** 15 turns a minute, within a device's budget. */
const turnMs = 4000;
const lagMs = 20;
const timeoutMs = 45_000;
const auth: Readonly<Record<string, string>> = token === undefined ? {} : { Authorization: `Bearer ${token}` };

const createReport = (): BystanderReport => ({
  pings: [],
  turns: [],
  sounds: [],
  gaps: [],
  configurations: [],
  lags: [],
  problems: [],
});
let report = createReport();
let ending = false;

/** Connects one device, which asks and pings until the end. Resolves with a function that waits for its last answer. */
async function enter(id: string): Promise<() => Promise<void>> {
  const complain = (problem: string) => report.problems.push(`${id}: ${problem}`);
  let pingedAt = 0;
  let askedAt = 0;
  let spoken = "";
  let packetAt = 0;
  let awake = performance.now();
  let speaking = false;
  let started = false;

  const ask = () => {
    askedAt = performance.now();
    spoken = "";
    started = false;
    packetAt = 0;
    device.send({ type: "listen", state: "detect", text: "what time is it" });
  };
  const hear = () => {
    const now = performance.now();
    if (packetAt > 0) report.gaps.push(now - packetAt);
    else if (spoken !== "") report.sounds.push(now - askedAt);
    packetAt = now;
  };
  const handlers: Readonly<Record<string, (message: Readonly<Record<string, unknown>>) => void>> = {
    pong: () => {
      report.pings.push(performance.now() - pingedAt);
      pingedAt = 0;
    },
    tts: ({ state, text }) => {
      if (state === "start") speaking = started = true;
      if (state === "sentence_start" && spoken === "") {
        spoken = String(text);
        if (!/It'?s|It is/.test(spoken)) complain(`"what time is it" was answered with "${spoken}"`);
        else report.turns.push(performance.now() - askedAt);
      }
      if (state !== "stop" || !started || awake > askedAt) return;
      if (spoken === "") complain("a turn ended without a sentence");
      speaking = false;
      awake = performance.now();
      if (!ending) setTimeout(ask, Math.max(100, askedAt + turnMs - awake));
    },
  };
  const device = await openTestDevice(url, {
    id,
    headers: { "Protocol-Version": "1", ...auth },
    hello: { type: "hello", version: 1, transport: "websocket", features: {} },
    onReceived(message) {
      if ("json" in message) handlers[String(message.json["type"])]?.(message.json);
      else if (speaking) hear();
    },
  });
  void device.closed.then(({ code, reason }) => {
    if (!ending) complain(`its session closed: ${code} ${reason}`);
  });
  ask();

  const timer = setInterval(() => {
    const now = performance.now();
    if (now - Math.max(awake, askedAt) > timeoutMs) {
      complain(`a turn did not end within ${timeoutMs} ms (it heard "${spoken}")`);
      awake = now;
      ask();
    }
    if (pingedAt > 0 && now - pingedAt > timeoutMs) {
      complain(`a ping was not answered within ${timeoutMs} ms`);
      pingedAt = 0;
    }
    if (pingedAt > 0 || !device.open) return;
    pingedAt = now;
    device.send({ type: "ping" });
  }, pingMs);

  return async () => {
    const isOver = () => awake > askedAt;
    while (!isOver() && performance.now() - askedAt < timeoutMs && device.open) await sleep(50);
    if (!isOver()) complain("its last turn did not end in time");
    clearInterval(timer);
    device.vanish();
  };
}

const configure = async () => {
  const began = performance.now();
  try {
    const headers = { "Device-Id": nameBystander(0) };
    const answer = await fetch(ota, { method: "POST", body: "{}", headers, signal: AbortSignal.timeout(timeoutMs) });
    await answer.json();
    report.configurations.push(performance.now() - began);
  } catch (error) {
    report.problems.push(`the request for its configuration failed: ${String(error)}`);
  }
};

const leave: (() => Promise<void>)[] = [];
for (let n = 0; n < devices; n += 1) {
  leave.push(await enter(nameBystander(n)));
  // Their turns are spread over time.
  if (n < devices - 1) await sleep(turnMs / devices);
}
const asking = setInterval(() => void configure(), 1000);
let due = performance.now() + lagMs;
const measuring = setInterval(() => {
  const now = performance.now();
  report.lags.push(Math.max(0, now - due));
  due = now + lagMs;
}, lagMs);
parentPort?.postMessage("ready", []);

const finish = async () => {
  ending = true;
  // The last questions must be answered too.
  await Promise.all(leave.map((wait) => wait()));
  clearInterval(asking);
  clearInterval(measuring);
  parentPort?.postMessage(report, []);
  parentPort?.close();
};
parentPort?.on("message", (what) => {
  if (what === "end") void finish();
  else {
    parentPort?.postMessage(report, []);
    report = createReport();
  }
});

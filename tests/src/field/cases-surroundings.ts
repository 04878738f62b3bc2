import { mkdtempSync, chmodSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { FieldCase, FieldKind, Outcome } from "./field-case.ts";
import { both, check, saysExactly } from "./outcomes.ts";
import type { RunningProgram } from "./program.ts";

const isLive = async ({ addresses }: RunningProgram): Promise<boolean> =>
  fetch(`${addresses["ops"]}/livez`, { signal: AbortSignal.timeout(2000) }).then(
    ({ ok }) => ok,
    () => false,
  );

/** Runs a dialogue in odd surroundings in place of the system's, and judges that it answers. */
function runs(odd: string, env: Readonly<Record<string, string>>, why: string): FieldCase {
  return {
    odd,
    right: "the program starts, and answers as it is configured",
    why,
    async run(stage) {
      await stage.restart("dialogue", env);
      const before = stage.server.requests.chat.length;
      const turn = await (await stage.connect()).ask("how are you");
      const asked = stage.server.requests.chat.length - before;
      const text = "how are you";
      const isQuiet = !stage.program("dialogue").output().includes(text);
      return both(
        saysExactly(turn, "Fine."),
        check(isQuiet ? `asked ${asked} times` : "logged the question", isQuiet && asked === 1),
      );
    },
  };
}

const environments: readonly FieldCase[] = [
  runs("variables of OpenAI's client for another server", { OPENAI_BASE_URL: "http://127.0.0.1:1/v1", OPENAI_API_KEY: "sk-x", OPENAI_ORG_ID: "o", OPENAI_PROJECT_ID: "p" }, "The host also runs programs of OpenAI's API."),
  runs("OpenAI's client is told to log everything", { OPENAI_LOG: "debug", DEBUG: "*", NODE_DEBUG: "" }, "What people say must not get into logs."),
  runs("variables of OpenTelemetry for a collector that is away", { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf", OTEL_SERVICE_NAME: "other", OTEL_TRACES_SAMPLER: "always_on" }, "The host is instrumented."),
  runs("OpenTelemetry is turned off", { OTEL_SDK_DISABLED: "true" }, "The host turns it off everywhere."),
  runs("a proxy for HTTP that is away", { HTTP_PROXY: "http://127.0.0.1:1", HTTPS_PROXY: "http://127.0.0.1:1", ALL_PROXY: "socks5://127.0.0.1:1", http_proxy: "http://127.0.0.1:1" }, "The model is in the same network, and the proxy is for the others."),
  runs("a locale without UTF-8, and no home", { LANG: "C", LC_ALL: "POSIX", HOME: "/nonexistent" }, "Services start so."),
  runs("a time zone that does not exist", { TZ: "Mars/Olympus" }, "Images copy it from other hosts."),
  runs("NODE_ENV production, colors forced, and a small heap", { NODE_ENV: "production", FORCE_COLOR: "1", NODE_OPTIONS: "--max-old-space-size=128" }, "Hosting platforms set them."),
  runs("empty variables of ours", { VOXBUS_LLM_KEY: "", VOXBUS_LOG_LEVEL: "", VOXBUS_DIALOGUE_TURNS: "" }, "Compose files pass unset variables on as empty ones."),
  runs("a variable of ours that does not exist", { VOXBUS_LLM_MODLE: "qwen" }, "A typo must not stop a start, and is reported."),
]; // prettier-ignore

/** Ends a program that has an odd output, and judges that it lived and ended in order. */
async function livesAndEnds(program: RunningProgram, signal: NodeJS.Signals): Promise<Outcome> {
  const live = await isLive(program);
  const { code } = await program.end(signal);
  return check(`${live ? "live" : "not live"}, ended with ${code}`, live && code === 0);
}

/** Makes a gateway log many lines: each upgrade without an id is refused and logged. */
async function makeLog(program: RunningProgram, count: number): Promise<void> {
  const url = (program.addresses["device"] ?? "").replace(/^ws/, "http");
  for (let i = 0; i < count; i += 1)
    await fetch(url, { signal: AbortSignal.timeout(2000) }).then(
      (response) => response.text(),
      () => undefined,
    );
}

const outputs: readonly FieldCase[] = [
  {
    odd: "a full disk under the log",
    right: "the program goes on, and ends in order",
    why: "Logs fill disks.",
    async run(stage) {
      const gateway = await stage.start("gateway", { stdout: "full", env: { VOXBUS_LOG_LEVEL: "debug" } });
      await makeLog(gateway, 50);
      return livesAndEnds(gateway, "SIGTERM");
    },
  },
  {
    odd: "a log reader that stalls",
    right: "the program goes on, and ends in order",
    why: "A terminal is stopped with Ctrl-S, and journald waits for its disk.",
    async run(stage) {
      const gateway = await stage.start("gateway", { stdout: "stalled", env: { VOXBUS_LOG_LEVEL: "trace" } });
      await makeLog(gateway, 500);
      return livesAndEnds(gateway, "SIGTERM");
    },
  },
  {
    odd: "SIGHUP: the terminal is closed",
    right: "the program ends in order, as after SIGTERM",
    why: "A shell sends it to its programs.",
    run: async (stage) => livesAndEnds(await stage.start("tts"), "SIGHUP"),
  },
  {
    odd: "a current folder that cannot be written to",
    right: "the program runs",
    why: "Images are read-only.",
    async run(stage) {
      const folder = mkdtempSync(join(tmpdir(), "voxbus-read-only-"));
      chmodSync(folder, 0o555);
      stage.defer(() => rmSync(folder, { recursive: true }));
      return livesAndEnds(await stage.start("tts", { cwd: folder }), "SIGTERM");
    },
  },
  {
    odd: "a current folder that is removed",
    right: "the program goes on",
    why: "Releases are replaced under running programs.",
    async run(stage) {
      const folder = mkdtempSync(join(tmpdir(), "voxbus-removed-"));
      const program = await stage.start("asr", { cwd: folder });
      rmSync(folder, { recursive: true });
      return livesAndEnds(program, "SIGTERM");
    },
  },
  {
    odd: "HTTP connections that stay open for 65 s of silence",
    right: "they are kept longer than common proxies keep them",
    why: "A proxy would otherwise send a request into a connection that closes, and answer 502.",
    async run({ program }) {
      const response = await fetch(`${program("gateway").addresses["ops"]}/livez`);
      const keep = Number(/timeout=(\d+)/.exec(response.headers.get("keep-alive") ?? "")?.[1]);
      return check(`Keep-Alive: timeout=${keep}`, keep >= 75);
    },
  },
  {
    odd: "SIGSTOP for 3 s: the host sleeps",
    right: "the device is answered when it wakes",
    why: "Laptops and virtual machines pause.",
    async run(stage) {
      const device = await stage.connect();
      const pids = (["gateway", "dialogue", "tts"] as const).map((name) => stage.program(name).pid);
      for (const pid of pids) process.kill(pid, "SIGSTOP");
      await sleep(3000);
      for (const pid of pids) process.kill(pid, "SIGCONT");
      return saysExactly(await device.ask("how are you"), "Fine.");
    },
  },
];

/** The surroundings of running programs: their variables, their output, and their signals. */
export const surroundingCases: FieldKind = { title: "Surroundings", cases: [...environments, ...outputs] };

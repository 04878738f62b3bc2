import { foreignVariables, greetAsNats, startGreeter, type OddHost } from "@voxbus/testing";
import type { FieldCase, FieldKind, Outcome } from "./field-case.ts";
import { both, check, saysExactly } from "./outcomes.ts";
import { launchProgram } from "./program.ts";
import type { Stage } from "./stage.ts";

type Env = Readonly<Record<string, string>>;

function launch({ defer }: Stage, program: string, host: OddHost) {
  const started = launchProgram(program, host);
  defer(() => started.child.kill("SIGKILL"));
  return started;
}

/** Makes a case in which a program must end by itself with one sentence, and no stack. */
function endsWith(
  texts: Pick<FieldCase, "odd" | "why" | "quick">,
  start: readonly [program: string, sentence: RegExp, env: (stage: Stage) => Env | Promise<Env>],
): FieldCase {
  const [program, sentence, env] = start;
  return {
    ...texts,
    right: "the program ends within seconds, and one sentence says what to do",
    async run(stage) {
      const { ended, output } = launch(stage, program, { env: await env(stage) });
      const code = await ended;
      const said = output()
        .split("\n")
        .filter((line) => line.startsWith("voxbus "));
      const held = code === 1 && said.length === 1 && sentence.test(said[0]!) && !/^ +at |s3cret/m.test(output());
      return check(said.join(" ").replaceAll(/127\.0\.0\.1:\d{4,5}/g, "HOST"), held);
    },
  };
}

async function answers(
  url: string,
  init: RequestInit,
  expected: readonly [status: number, text: RegExp],
): Promise<Outcome> {
  const response = await fetch(url, init);
  const text = await response.text();
  return check(
    `${response.status} ${text.slice(0, 60).trim()} …`,
    response.status === expected[0] && expected[1].test(text),
  );
}

const pathOf = ({ url }: Stage, path: string) => new URL(path, url.replace("ws", "http")).href;

const starts: readonly FieldCase[] = [
  endsWith({ odd: "nats-server 2.9", why: "Debian 12 installs it. It knows no lifetimes of keys.", quick: true }, [
    "tts",
    /2\.9\.10: voxbus needs 2\.11/,
    async ({ defer }) => {
      const greeter = await startGreeter(greetAsNats({ version: "2.9.10" }));
      defer(() => greeter.close());
      return { VOXBUS_NATS_URL: `nats://127.0.0.1:${greeter.port}` };
    },
  ]),
  endsWith({ odd: "`tls://` for a server without TLS", why: "Credentials must not travel in the clear." }, [
    "tts",
    /it has no TLS/,
    ({ nats }) => ({ VOXBUS_NATS_URL: nats.url.replace("nats://", "tls://u:s3cret@") }),
  ]),
  endsWith(
    { odd: "an HTTP port in VOXBUS_NATS_URL", why: "8222, the monitoring port of NATS, is easily taken for 4222." },
    [
      "tts",
      /it is no NATS server\. Check host and port/,
      ({ server }) => ({ VOXBUS_NATS_URL: `nats://127.0.0.1:${new URL(server.url).port}` }),
    ],
  ),
  endsWith({ odd: "servers separated by a space", why: "Other lists in shells are." }, [
    "asr",
    /server 1 has a space in it: separate servers by commas/,
    ({ nats }) => ({ VOXBUS_NATS_URL: `${nats.url} nats://u:s3cret@other:4222` }),
  ]),
  endsWith({ odd: "a shell's variable in the URL that was not replaced", why: "Files of variables are not shells." }, [
    "asr",
    /server 1 has a host that is neither a name nor an address/,
    () => ({ VOXBUS_NATS_URL: "nats://${NATS_HOST}:4222" }),
  ]),
  endsWith({ odd: "a file of an authority that is no certificate", why: "OpenSSL passes over it silently." }, [
    "asr",
    /VOXBUS_NATS_CA: the files cannot be used/,
    ({ nats }) => ({ VOXBUS_NATS_URL: nats.url, VOXBUS_NATS_CA: "/etc/hostname" }),
  ]),
  endsWith({ odd: "a model's address without http://", why: "`localhost:11434/v1` is a URL to a URL parser." }, [
    "dialogue",
    /VOXBUS_LLM_URL: expected an address that begins with http/,
    () => ({ VOXBUS_LLM_URL: "localhost:11434/v1" }),
  ]),
  endsWith({ odd: "the address of one function as a model's base URL", why: "Manuals show `/chat/completions`." }, [
    "dialogue",
    /VOXBUS_LLM_URL: expected the base URL/,
    () => ({ VOXBUS_LLM_URL: "http://localhost:11434/v1/chat/completions" }),
  ]),
  endsWith({ odd: "credentials in the address of a webhook", why: "fetch refuses such a URL at each alert." }, [
    "monitor",
    /VOXBUS_MONITOR_WEBHOOK: expected an address without a user and a password/,
    () => ({ VOXBUS_MONITOR_WEBHOOK: "https://u:s3cret@hooks.example/" }),
  ]),
  endsWith({ odd: "tokens of devices without VOXBUS_AUTH", why: "Everybody would be let in.", quick: true }, [
    "gateway",
    /VOXBUS_AUTH: must be set when VOXBUS_AUTH_TOKENS is/,
    () => ({ VOXBUS_AUTH_TOKENS: "0123456789abcdef" }),
  ]),
  endsWith({ odd: "an address to listen on in brackets", why: "It is written so in URLs." }, [
    "monitor",
    /\[::1\] is not an address of this machine: set VOXBUS_OPS_HOST/,
    () => ({ VOXBUS_OPS_HOST: "[::1]" }),
  ]),
];

const requests: readonly FieldCase[] = [
  {
    odd: "the OTA address in a browser",
    right: "a sentence that says what the address is",
    why: "People try it out before they type it into a device.",
    quick: true,
    run: async (stage) => answers(pathOf(stage, "/xiaozhi/ota/"), {}, [200, /^This is the OTA address/]),
  },
  {
    odd: "a proxy that drops the header Upgrade",
    right: "426 with the reason",
    why: "nginx does it by default. 404 sends the reader to the wrong place.",
    run: async (stage) => answers(pathOf(stage, "/xiaozhi/v1/"), {}, [426, /proxy/]),
  },
  {
    odd: "the WebSocket's address as a device's OTA address",
    right: "426 that names the OTA address",
    why: "The portal of a device has one field.",
    run: async (stage) =>
      answers(pathOf(stage, "/xiaozhi/v1/"), { method: "POST", body: "{}", headers: { "Device-Id": "a" } }, [
        426,
        /The OTA address is \/xiaozhi\/ota\//,
      ]),
  },
];

const surroundings: readonly FieldCase[] = [
  {
    odd: "variables of other programs: `OPENAI_*`, `OTEL_*`, TZ, NODE_ENV",
    right: "the answer is spoken, and nothing of them reaches the model's server",
    why: "A shell of a developer has them. Headers may hold keys.",
    async run({ server, restart, connect }) {
      await restart("dialogue", foreignVariables);
      let headers = "";
      server.script.chat = (_request, context) => {
        headers = JSON.stringify(context.headers);
        return ["Fine."];
      };
      const turn = await (await connect()).ask("how are you");
      const foreign = headers.includes("foreign");
      return both(saysExactly(turn, "Fine."), check(foreign ? "foreign headers" : "no foreign header", !foreign));
    },
  },
  {
    odd: "an address for traces without http://",
    right: "the program says so, and runs without traces",
    why: "OTEL_* are variables of other programs too.",
    async run(stage) {
      const env = { VOXBUS_NATS_URL: stage.nats.url, OTEL_EXPORTER_OTLP_ENDPOINT: "localhost:4318" };
      const { awaitLine, output } = launch(stage, "monitor", { env });
      await awaitLine(/"msg":"ready"/);
      const named = /OTEL_EXPORTER_OTLP_ENDPOINT: [^"]*/.exec(output())?.[0];
      return check(`ready; ${named}`, named !== undefined);
    },
  },
  {
    odd: "no standard output at all, and SIGHUP",
    right: "the program runs, and ends in order",
    why: "Service managers close it, and terminals hang up.",
    async run(stage) {
      const host = { stdout: "closed", env: { VOXBUS_NATS_URL: stage.nats.url } } as const;
      const { addresses, end } = launch(stage, "monitor", host);
      const { status } = await fetch(`${(await addresses)["ops"]}/readyz`);
      const { code } = await end("SIGHUP");
      return check(`/readyz ${status}, exit code ${code}`, status === 200 && code === 0);
    },
  },
];

/** Machines, settings and proxies that are not like ours. */
export const hostCases: FieldKind = { title: "Hosts and settings", cases: [...starts, ...requests, ...surroundings] };

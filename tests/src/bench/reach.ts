import { connectMqtt, findFreePort, refuseMethod, type MqttDevice, type NatsServer } from "@voxbus/testing";
import { startChild } from "./child.ts";
import { describeTail, type Tail } from "./numbers.ts";
import { format, judge, type Table } from "./section.ts";
import { startSystem } from "./system.ts";

/** The times of one way to reach an idle device over the API, ms from the call. */
export interface ReachRow {
  readonly what: string;
  /** Until the device has it. */
  readonly reached: Tail;
  /** Until the caller knows that the device has it. */
  readonly known: Tail;
}

const device = "reached";
const tool = "self.audio_speaker.set_volume";
const readyMs = 10_000;

type Json = Readonly<Record<string, unknown>>;

/** One way to reach the device. */
interface Way {
  readonly what: string;
  readonly path: string;
  readonly body: object;
  /** Recognizes it at the device. */
  readonly is: (message: Json) => boolean;
  /** True if the answer has an id instead of the receipt. */
  readonly byId?: boolean;
}

const isCall = ({ type, payload }: Json) => type === "mcp" && (payload as Json)["method"] === "tools/call";
const isAlert = ({ type }: Json) => type === "alert";
const ways: readonly Way[] = [
  { what: "alert", path: "text", body: { message: { type: "alert", message: "Somebody rings." } }, is: isAlert },
  {
    what: "command",
    path: "control",
    body: { message: { type: "system", command: "reboot" } },
    is: ({ type }) => type === "system",
  },
  { what: "tool call", path: `tools/${tool}`, body: { arguments: { volume: 40 } }, is: isCall },
  { what: "announcement", path: "say", body: { text: "Dinner is ready." }, is: isAlert, byId: true },
];

const post = async (url: URL, body: object): Promise<Json> => {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  const given = (await answer.json()) as Json;
  if (!answer.ok) throw new Error(`${url.pathname}: ${answer.status} ${String(given["detail"])}`);
  return given;
};

/** Answers as firmware does: it has one tool, and refuses the methods that it does not know. */
function answerMcp(request: Json): object {
  const { id, method } = request;
  if (method === "tools/list") {
    const inputSchema = { type: "object", properties: { volume: { type: "integer" } } };
    return { jsonrpc: "2.0", id, result: { tools: [{ name: tool, description: "", inputSchema }] } };
  }
  if (method === "tools/call") return { jsonrpc: "2.0", id, result: { content: [{ type: "text", text: "true" }] } };
  return refuseMethod(request);
}

/** Reaches the device once. */
async function reach(one: MqttDevice, monitor: string, { path, body, is, byId = false }: Way) {
  const began = performance.now();
  const reached = one.next(is).then(() => performance.now() - began);
  const answer = await post(new URL(`/api/devices/${device}/${path}`, monitor), body);
  let result = answer["receipt"] ?? answer["result"];
  if (byId) {
    const receipts = await fetch(new URL(`/api/receipts/${String(answer["reply"])}?wait=30s`, monitor));
    const { devices } = (await receipts.json()) as { readonly devices: readonly Json[] };
    result = devices[0]?.["result"];
  }
  const known = performance.now() - began;
  if (result !== "delivered" && result !== "true") throw new Error(`${path}: the receipt is ${String(result)}`);
  return { reached: await reached, known };
}

/** Reaches an idle device in every way, `times` times each. */
export async function measureReach(options: {
  readonly nats: NatsServer;
  readonly times: number;
  readonly progress: (text: string) => void;
}): Promise<readonly ReachRow[]> {
  const { nats, times, progress } = options;
  const engines = await startChild("engines");
  const port = await findFreePort();
  const env = { VOXBUS_MQTT_PORT: String(port), VOXBUS_UDP_PORT: "0" };
  try {
    const system = await startSystem({ nats, engines: engines.addresses["engines"], env });
    const one = await connectMqtt({ port, id: device, onMcp: answerMcp });
    try {
      await untilOnline(system.monitor);
      const rows: ReachRow[] = [];
      for (const way of ways) {
        progress(`${way.what} to an idle device`);
        const all = [];
        // The first time is a warm-up.
        for (let at = 0; at <= times; at += 1) all.push(await reach(one, system.monitor, way));
        const measured = all.slice(1);
        rows.push({
          what: way.what,
          reached: describeTail(measured.map(({ reached }) => reached)),
          known: describeTail(measured.map(({ known }) => known)),
        });
      }
      return rows;
    } finally {
      one.vanish();
      await one.closed;
      await system.stop();
    }
  } finally {
    await engines.stop();
  }
}

async function untilOnline(monitor: string): Promise<void> {
  const until = performance.now() + readyMs;
  while (!(await fetch(new URL(`/api/devices/${device}`, monitor))).ok)
    if (performance.now() > until) throw new Error(`${device} is not online`);
}

/** Shows the times of every way beside each other. */
export function tabulateReach(rows: readonly ReachRow[]): readonly Table[] {
  const of = (what: string, which: "reached" | "known") => ({
    value: rows.find((row) => row.what === what)?.[which].p50 ?? Number.NaN,
    digits: 1,
    unit: "ms",
  });
  return [
    {
      title: "from the API call to an idle device, and to its receipt (ms)",
      head: ["what", "device p50", "p95", "receipt p50", "p95"],
      rows: rows.map(({ what, reached, known }) => [
        what,
        ...[reached.p50, reached.p95, known.p50, known.p95].map((value) => format(value, 1)),
      ]),
      lines: [
        judge("receipt of an alert", of("alert", "known"), { atMost: 50 }),
        judge("receipt of a command", of("command", "known"), { atMost: 50 }),
        judge("result of a tool call", of("tool call", "known"), { atMost: 20 }),
      ],
    },
  ];
}

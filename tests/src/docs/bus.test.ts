import { jetstream, jetstreamManager, type JetStreamManager, type StreamConfig } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { brokerTraceSubject, createNames, type Bus } from "@voxbus/bus";
import { connectTestBus, startNatsServer, type NatsServer } from "@voxbus/testing";
import {
  Activation,
  bucketNames,
  buckets,
  busVersion,
  Canary,
  channels,
  decodeEnvelope,
  DeviceRecord,
  DeviceTool,
  Dialogue,
  DialogueTurn,
  encodeEnvelope,
  envelopes,
  GatewayLease,
  Inbound,
  KeptMessage,
  inControls,
  outControls,
  Presence,
  Profile,
  RegisteredDevice,
  RegisteredToken,
  Reminder,
  severities,
  shadowPattern,
  storedPattern,
  streamNames,
  ToolCallRecord,
  ToolMetadata,
  TurnPlayed,
  turnOutcomes,
  type BucketRow,
} from "@voxbus/protocol";
import type { z } from "@voxbus/subscriber";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listFields } from "./fields.ts";
import { readBlocks, readLeadingNames, readName, readNames, readPage, readTable } from "./markdown.ts";

const page = readPage("docs/bus.md");
const sorted = (list: Iterable<string>) => [...list].toSorted();
const firstNames = (marker: string) => readTable(page, marker).map(([cell]) => readName(cell));

describe("docs/bus.md, outcomes", () => {
  it("the table is that of the code", () => {
    const documented = readTable(page, "table: outcomes").map(([name, kind, meaning]) => [
      readName(name),
      kind,
      meaning,
    ]);
    expect(documented).toEqual(Object.entries(turnOutcomes).map(([name, row]) => [name, row.class, row.meaning]));
  });
});

describe("docs/bus.md, subjects", () => {
  it("subjects: the table has every channel and no other", () => {
    const patterns = [...Object.values(channels).map(({ pattern }) => pattern), storedPattern, shadowPattern];
    expect(sorted(firstNames("table: subjects"))).toEqual(sorted(patterns));
  });

  it("names: the table has what a system without and with a prefix is called on NATS", () => {
    const row = (prefix: string) => {
      const names = createNames(prefix);
      return [
        names.stream("TURNS"),
        names.bucket("profiles"),
        names.bucketStream("profiles"),
        names.bucketSubject("profiles", "<id>"),
        names.durable("asr"),
        names.subject(channels.heard("<id>").subject),
        names.queue("doorbell"),
        names.inboxPrefix("program").replace("program", "<program>"),
        brokerTraceSubject,
      ];
    };
    const cells = readTable(page, "table: names").map(([, , ...onNats]) => onNats.map(readName));
    expect([0, 1].map((at) => cells.map((pair) => pair[at]))).toEqual([row(""), row("staging")]);
  });

  it("subjects: each has the delivery of its channel", () => {
    const documented = readTable(page, "table: subjects").map(([pattern, , , delivered = ""]) => [
      readName(pattern),
      delivered.startsWith("stored in") ? readName(delivered) : delivered.split(/[,;]/)[0],
    ]);
    const words = { live: "core NATS", republished: "core NATS", request: "request and reply", view: "-" } as const;
    const expected = Object.values(channels).map(({ pattern, delivery }) => [
      pattern,
      delivery === "DEVICE_IN" || delivery === "TURNS" ? delivery : words[delivery],
    ]);
    expect(Object.fromEntries(documented)).toEqual(
      Object.fromEntries([...expected, [storedPattern, "core NATS"], [shadowPattern, "core NATS"]]),
    );
  });

  it("subjects: the table carries every envelope and no other", () => {
    const carried = readTable(page, "table: subjects").flatMap(([, , cell = ""]) => readLeadingNames(cell));
    expect(sorted(new Set(carried))).toEqual(sorted(Object.keys(envelopes)));
  });

  it("stats: no row is there twice", () => {
    const rows = readTable(page, "table: stats").map(([name, where]) => `${where} ${name}`);
    expect(rows.filter((row, at) => rows.indexOf(row) !== at)).toEqual([]);
  });

  it("alerts: the severities are those of the code", () => {
    const alert = readTable(page, "table: subjects").find(([cell]) => cell?.includes("alert."));
    expect(readNames(alert?.[2] ?? "").slice(1)).toEqual([...severities]);
  });
});

/** All tables of fields by their markers, with the schemas that they describe. */
const fieldTables: Readonly<Record<string, readonly z.ZodType[]>> = {
  "in.audio in.text in.control": [Inbound],
  ...Object.fromEntries(
    Object.entries(envelopes)
      .filter(([name]) => !name.startsWith("in."))
      .map(([name, schema]) => [name, [schema]]),
  ),
  "tool metadata": [ToolMetadata],
  turn: [TurnPlayed],
  gateways: [GatewayLease],
  presence: [Presence],
  canaries: [Canary],
  profiles: [Profile],
  dialogues: [Dialogue],
  "dialogue turn": [DialogueTurn],
  tools: [DeviceTool],
  "tool-calls": [ToolCallRecord],
  reminders: [Reminder],
  kept: [KeptMessage],
  devices: [DeviceRecord],
  registry: [RegisteredDevice],
  activations: [Activation],
  "registered token": [RegisteredToken],
};

describe("docs/bus.md, fields", () => {
  it("tables: each envelope and record has one, and nothing else has", () => {
    const markers = [...page.matchAll(/<!-- fields: (.*) -->/g)].map(([, name = ""]) => name);
    expect(sorted(markers)).toEqual(sorted(Object.keys(fieldTables)));
  });

  it.each(Object.entries(fieldTables))("%s: the table has every field and no other", (marker, schemas) => {
    for (const schema of schemas) expect(sorted(firstNames(`fields: ${marker}`))).toEqual(sorted(listFields(schema)));
  });

  it("profiles: the defaults are those of the schema", () => {
    const defaults: Record<string, unknown> = Profile.parse({});
    for (const [field, fallback = ""] of readTable(page, "fields: profiles")) {
      const value = defaults[readName(field).replace("?", "")];
      const written = typeof value === "string" ? value : value === undefined ? "-" : JSON.stringify(value);
      expect(fallback.replaceAll("`", "")).toBe(written);
    }
  });

  it.each([
    ["in controls", inControls],
    ["out controls", outControls],
  ] as const)("%s: the table has every body with every field, and no other", (marker, bodies) => {
    const documented = readTable(page, `table: ${marker}`).map(([type, fields = ""]) => [
      readName(type),
      sorted(readLeadingNames(fields)),
    ]);
    const expected = Object.entries(bodies).map(([type, schema]) => [
      type,
      sorted(listFields(schema).filter((field) => field !== "type")),
    ]);
    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(expected));
  });
});

/** Formats a value as the page does: bytes as `hex …`. */
function show(value: unknown): unknown {
  if (value instanceof Uint8Array)
    return `hex ${Buffer.from(value)
      .toString("hex")
      .replaceAll(/..(?!$)/g, "$& ")}`;
  if (Array.isArray(value)) return value.map(show);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, show(field)]));
}

describe("docs/bus.md, examples", () => {
  const examples = readBlocks(page, "hex");
  const shown = readBlocks(page, "json");

  it("examples: each envelope has one, and nothing else has", () => {
    expect(sorted(examples.map(({ label }) => label))).toEqual(sorted(Object.keys(envelopes)));
  });

  it.each(Object.entries(envelopes))(
    "%s: it decodes to the shown value and encodes to the same bytes",
    (name, schema) => {
      const at = examples.findIndex(({ label }) => label === name);
      const data = Buffer.from((examples[at]?.text ?? "").replaceAll(/\s/g, ""), "hex");
      const value = decodeEnvelope<z.ZodType>(schema, data);
      expect({ v: busVersion, ...(show(value) as object) }).toEqual(JSON.parse(shown[at]?.text ?? ""));
      expect(Buffer.from(encodeEnvelope(schema, value as never))).toEqual(data);
    },
  );
});

describe("docs/bus.md, streams and buckets", () => {
  let server: NatsServer;
  let bus: Bus;
  let connection: NatsConnection;
  let manager: JetStreamManager;
  let configs: readonly StreamConfig[];

  beforeAll(async () => {
    server = await startNatsServer();
    bus = await connectTestBus(server.url);
    connection = await connect({ servers: server.url });
    manager = await jetstreamManager(connection);
    configs = (await manager.streams.list().next()).map(({ config }) => config);
  });
  afterAll(async () => {
    await connection?.close();
    await bus?.close();
    await server?.stop();
  });

  const names = createNames();
  const units = [["days", 86_400], ["h", 3600], ["min", 60], ["s", 1]] as const; // prettier-ignore
  const formatAge = (nanoseconds: number) => {
    const seconds = nanoseconds / 1e9;
    const [unit, size] = units.find(([, size]) => seconds >= size && seconds % size === 0) ?? units[3];
    return seconds === 0 ? "-" : `${seconds / size} ${unit}`;
  };

  it("streams: the table lists what a program creates on an empty NATS", () => {
    const documented = readTable(page, "table: streams").map((cells) => cells.join(" | ").replaceAll("`", ""));
    const made = configs
      .filter(({ name }) => !name.startsWith("KV_"))
      .map((config) =>
        [
          streamNames.find((stream) => names.stream(stream) === config.name),
          config.subjects.join(", "),
          formatAge(config.max_age),
          `${config.max_bytes / 1024 ** 2} MB`,
          config.max_msgs_per_subject,
          formatAge(config.duplicate_window),
          config.republish?.dest ?? "-",
        ].join(" | "),
      );
    expect(sorted(documented)).toEqual(sorted(made));
  });

  it("message id of say: a repeat is acknowledged, and neither stored nor republished, also on another subject", async () => {
    const js = jetstream(connection);
    const heard: unknown[] = [];
    const seen = connection.subscribe("stored.device.>", {
      callback: (_error, { subject }) => void heard.push(subject),
    });
    const publish = (device: string, sentence: number, id: string) => {
      const say = { reply: "r-1", attempt: 1, sentence, text: `${device} ${sentence}`, last: sentence === 1 };
      const subject = (sentence === 0 ? channels.sayOpen(device) : channels.say(device)).subject;
      return js.publish(subject, encodeEnvelope(channels.say.schema, say), { msgID: id });
    };
    const first = await publish("d1", 0, "r-1:0");
    expect(first.duplicate).toBe(false);
    expect(await publish("d1", 0, "r-1:0")).toMatchObject({ duplicate: true, seq: first.seq });
    expect(await publish("d2", 0, "r-1:0")).toMatchObject({ duplicate: true, seq: first.seq });
    expect(await publish("d1", 1, "r-1:1")).toMatchObject({ duplicate: false, seq: first.seq + 1 });
    await connection.flush();
    seen.unsubscribe();
    expect(heard).toEqual(["stored.device.d1.say.open", "stored.device.d1.say"]);
  });

  it("buckets: the table lists what a program creates on an empty NATS", () => {
    const documented = readTable(page, "table: buckets").map(([name, , , age, size]) => [readName(name), [age, size]]);
    expect(readTable(page, "table: buckets").map(([name, key]) => [readName(name), readName(key)])).toEqual(
      Object.values<BucketRow>(buckets).map(({ bucket, pattern }) => [bucket, pattern]),
    );
    const made = configs
      .filter(({ name }) => name.startsWith("KV_"))
      .map(({ name, max_age, max_bytes }) => [
        bucketNames.find((bucket) => names.bucketStream(bucket) === name),
        [formatAge(max_age), `${max_bytes / 1024 ** 2} MB`],
      ]);
    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(made));
  });
});

import { jetstreamManager, type JetStreamManager, type StreamConfig, type StreamInfo } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { buckets } from "@voxbus/protocol";
import { startNatsServer } from "@voxbus/testing";
import { connectDevice } from "./device.ts";
import type { FieldCase, FieldKind, Outcome } from "./field-case.ts";
import { both, check, saysExactly } from "./outcomes.ts";
import type { Stage } from "./stage.ts";

/** A NATS that voxbus has not met yet, and its manager as another application or an operator uses it. */
async function openForeign({ defer }: Stage) {
  const nats = await startNatsServer();
  defer(() => nats.stop());
  const client = await connect({ servers: nats.url });
  defer(() => client.close());
  return { url: nats.url, client, manager: await jetstreamManager(client) };
}

/** The manager of the system's own NATS, as an operator uses it. */
async function openOwn({ nats, defer }: Stage): Promise<JetStreamManager> {
  const client = await connect({ servers: nats.url });
  defer(() => client.close());
  return jetstreamManager(client);
}

/** Starts a gateway that must not start. `words` must be in what it says. */
async function refuses(
  stage: Stage,
  env: Readonly<Record<string, string>>,
  words: readonly string[],
): Promise<Outcome> {
  const said = await stage.start("gateway", { env }).then(
    () => "it started",
    (error: unknown) => (error as Error).message,
  );
  const line = /voxbus gateway: (.*)/.exec(said)?.[1] ?? said;
  return check(
    `stopped: ${line.split(". ")[0]!}`,
    words.every((word) => line.includes(word)),
  );
}

/** Judges that a stream is as it was, but for what it has recorded since. */
function isUnchanged(before: StreamInfo, after: StreamInfo): Outcome {
  const [was, is] = [before, after].map(({ config, state }) => JSON.stringify([config, Math.max(1, state.first_seq)]));
  const same = was === is && after.state.messages >= before.state.messages;
  return check(`${before.config.name} ${same ? "as it was" : "changed"}`, same);
}

/** A case in which something of others has one of our names or subjects. The start is refused, and nothing of it changed. */
function refusedStart(odd: string, why: string, given: Partial<StreamConfig> & { readonly name: string }): FieldCase {
  return {
    odd,
    right: "the start is refused by the name of the stream and of `VOXBUS_NATS_PREFIX`, and the stream stays as it is",
    why,
    async run(stage) {
      const { url, manager } = await openForeign(stage);
      const before = await manager.streams.add({ ...given });
      const shown = given.name.replace(/^KV_/, "");
      const refusal = await refuses(stage, { VOXBUS_NATS_URL: url }, [shown, "VOXBUS_NATS_PREFIX"]);
      return both(refusal, isUnchanged(before, await manager.streams.info(given.name)));
    },
  };
}

/** A case in which an operator edits one of our streams, and then a program starts. */
function keptEdit(odd: string, why: string, stream: string, edit: Partial<StreamConfig>): FieldCase {
  return {
    odd,
    right: "the edit stays after a start",
    why,
    async run(stage) {
      const manager = await openOwn(stage);
      const { config: before } = await manager.streams.info(stream);
      stage.defer(() => manager.streams.update(stream, { ...before }));
      const metadata = { ...before.metadata, ...edit.metadata };
      const edited = await manager.streams.update(stream, { ...edit, metadata });
      await stage.restart("gateway");
      const { config } = await manager.streams.info(stream);
      return check(
        Object.keys(edit).join(", ") +
          (JSON.stringify(config) === JSON.stringify(edited.config) ? " kept" : " changed"),
        JSON.stringify(config) === JSON.stringify(edited.config),
      );
    },
  };
}

function refusedPrefix(prefix: string, why: string): FieldCase {
  return {
    odd: `\`VOXBUS_NATS_PREFIX=${prefix}\``,
    right: "the start is refused by the name of the variable, with the rule",
    why,
    run: (stage) => refuses(stage, { VOXBUS_NATS_PREFIX: prefix }, ["VOXBUS_NATS_PREFIX", "must be"]),
  };
}

const mib = 1024 ** 2;

/** Things of others on a NATS that voxbus shares, and gateways that share an id. */
export const natsCases: FieldKind = {
  title: "Shared NATS",
  cases: [
    {
      odd: "a bucket `profiles` of another application, with a history of 10 and 6 messages",
      right: "it stays as it is, and the system answers",
      why: "`profiles` is a common name. Its history would be lost.",
      quick: true,
      async run(stage) {
        const manager = await openOwn(stage);
        const client = await connect({ servers: stage.nats.url });
        const name = "KV_profiles";
        await manager.streams.add({ name, subjects: ["$KV.profiles.>"], max_msgs_per_subject: 10 });
        stage.defer(() => manager.streams.delete(name));
        for (const key of ["a", "a", "a", "b", "b", "c"]) await client.request(`$KV.profiles.${key}`, key);
        await client.close();
        const before = await manager.streams.info(name);
        await stage.restart("gateway");
        const turn = saysExactly(await (await stage.connect()).ask("hello"), "Fine.");
        return both(isUnchanged(before, await manager.streams.info(name)), turn);
      },
    },
    refusedStart("a stream of another application named `voxbus_TURNS`", "Somebody tried voxbus by hand.", {
      name: "voxbus_TURNS",
      subjects: ["shop.>"],
    }),
    refusedStart("a bucket of another application named `voxbus_profiles`", "Its entries would be read as profiles.", {
      name: "KV_voxbus_profiles",
      subjects: ["$KV.voxbus_profiles.>"],
      max_msgs_per_subject: 64,
    }),
    refusedStart("an audit stream that stores `>` without acknowledging", "Some sites record everything.", {
      name: "audit",
      subjects: [">"],
      no_ack: true,
    }),
    refusedStart("an IoT platform's stream on `device.>`", "`device.` is a common first token.", {
      name: "telemetry",
      subjects: ["device.>"],
    }),
    refusedStart("the stream `TURNS` of an older voxbus", "NATS stores a subject in one stream only.", {
      name: "TURNS",
      subjects: ["device.*.heard", "device.*.say", "device.*.say.open"],
    }),
    refusedStart("our stream, whose metadata a tool has wiped", "It can no longer be told from that of others.", {
      name: "voxbus_DEVICE_IN",
      subjects: ["device.*.in.text", "device.*.in.control", "device.*.in.control.open"],
      max_bytes: 256 * mib,
    }),
    {
      odd: "streams of others on `gateway.>`, `stats.>` and `alert.>`",
      right: "speech is understood: a stream's acknowledgement is no answer to a replay",
      why: "Operators record live subjects. NATS acknowledges what has a reply subject.",
      quick: true,
      async run(stage) {
        const manager = await openOwn(stage);
        await manager.streams.add({ name: "recorder", subjects: ["gateway.>", "stats.>", "alert.>"] });
        stage.defer(() => manager.streams.delete("recorder"));
        return saysExactly(await (await stage.connect()).speak(), "Fine.");
      },
    },
    keptEdit("an operator's larger and older stream", "The site needs to look back a day.", "voxbus_TURNS", {
      max_bytes: 300 * mib,
      max_age: 24 * 3600 * 1e9,
    }),
    keptEdit(
      "an operator's history in the bucket of profiles",
      "Changes of profiles can be undone.",
      "KV_voxbus_profiles",
      {
        max_msgs_per_subject: 20,
      },
    ),
    keptEdit("an operator's smaller bucket", "The disk is small.", "KV_voxbus_dialogues", { max_bytes: 2 * mib }),
    keptEdit("a description and metadata of an operator", "Sites label what they run.", "KV_voxbus_devices", {
      description: "ask the night shift",
      metadata: { team: "voice", cost: "4711" },
    }),
    {
      odd: "another application mirrors one of our streams",
      right: "the mirror stays as it is, and turns are answered",
      why: "This is how NATS is backed up.",
      async run(stage) {
        const manager = await openOwn(stage);
        await manager.streams.add({ name: "backup", mirror: { name: "voxbus_TURNS" } });
        stage.defer(() => manager.streams.delete("backup"));
        await stage.restart("dialogue");
        const turn = saysExactly(await (await stage.connect()).ask("hello"), "Fine.");
        const { config } = await manager.streams.info("backup");
        return both(turn, check(`mirror of ${config.mirror?.name}`, config.mirror?.name === "voxbus_TURNS"));
      },
    },
    {
      odd: "a durable consumer of another application on our stream, which acknowledges nothing",
      right: "turns are answered, and the consumer stays",
      why: "Exporters and tools create consumers where they like.",
      async run(stage) {
        const manager = await openOwn(stage);
        await manager.consumers.add("voxbus_TURNS", { durable_name: "exporter", ack_policy: "explicit" });
        stage.defer(() => manager.consumers.delete("voxbus_TURNS", "exporter"));
        await stage.restart("dialogue");
        const turn = saysExactly(await (await stage.connect()).ask("hello"), "Fine.");
        const { num_pending } = await manager.consumers.info("voxbus_TURNS", "exporter");
        return both(turn, check(`${num_pending > 0 ? "some" : "no"} messages wait for it`, num_pending > 0));
      },
    },
    {
      odd: "an operator deletes a consumer of ours while the system runs",
      right: "it is created again, and the next turn is answered",
      why: "Cleaning up by hand hits the wrong one.",
      async run(stage) {
        const manager = await openOwn(stage);
        await manager.consumers.delete("voxbus_DEVICE_IN", "voxbus_dialogue");
        return saysExactly(await (await stage.connect()).ask("hello"), "Fine.");
      },
    },
    {
      odd: "a second system with `VOXBUS_NATS_PREFIX`, with a gateway and a device of the same ids",
      right: "each device hears its own system's answers only",
      why: "Staging and production share one NATS.",
      quick: true,
      async run(stage) {
        const env = { VOXBUS_NATS_PREFIX: "staging", VOXBUS_GATEWAY_ID: "hall" };
        stage.server.script.chat = () => ["Once."];
        const [gateway] = await Promise.all(["gateway", "dialogue", "tts"].map((name) => stage.start(name, { env })));
        const here = await stage.connect({ id: "twin" });
        const there = await connectDevice(gateway!.addresses["device"]!, { id: "twin" });
        stage.defer(() => there.connection.vanish());
        const turns = await Promise.all([here.ask("hello"), there.ask("hello")]);
        const extra = await Promise.race([here, there].map((device) => device.turnWithin(300)));
        const quiet = check(extra === undefined ? "nothing more" : "said more", extra === undefined);
        return both(...turns.map((turn) => saysExactly(turn, "Once.")), quiet);
      },
    },
    refusedPrefix("voxbus.staging", "A dot ends a token of a subject, and no stream may have one."),
    refusedPrefix("device", "Its subjects would be among those of the system without a prefix."),
    refusedPrefix("läden", "Names of streams are folders on disk."),
    {
      odd: "a size variable that only one of two programs has",
      right: "the stream keeps the size, whichever starts last",
      why: "The variable was added to one unit file only.",
      async run(stage) {
        const { url, manager } = await openForeign(stage);
        await stage.start("gateway", { env: { VOXBUS_NATS_URL: url, VOXBUS_TURNS_MB: "200" } });
        await stage.start("dialogue", { env: { VOXBUS_NATS_URL: url } });
        const { config } = await manager.streams.info("voxbus_TURNS");
        return check(`${config.max_bytes / mib} MB`, config.max_bytes === 200 * mib);
      },
    },
    {
      odd: "two gateways on two hosts of one name",
      right: "the older sends its devices away with 1012 and exits with `VOXBUS_GATEWAY_ID`; the newer answers",
      why: "Cloned machines have one host name, and the default id is made of it.",
      async run(stage) {
        const env = { VOXBUS_GATEWAY_ID: "raspberrypi-8000" };
        const older = await stage.start("gateway", { env });
        const left = await connectDevice(older.addresses["device"]!, { id: "left" });
        const newer = await stage.start("gateway", { env });
        const { code } = await left.connection.closed;
        await older.ended;
        const back = await connectDevice(newer.addresses["device"]!, { id: "left" });
        stage.defer(() => back.connection.vanish());
        const told = check(
          `closed with ${code}`,
          code === 1012 && /VOXBUS_GATEWAY_ID.*program failed, ending/.test(older.output()),
        );
        return both(told, saysExactly(await back.ask("hello"), "Fine."));
      },
    },
    {
      odd: "a gateway that is killed and started again within a second, under its id",
      right: "it goes on under its id",
      why: "Every supervisor does this.",
      async run(stage) {
        const env = { VOXBUS_GATEWAY_ID: "porch" };
        const first = await stage.start("gateway", { env });
        await first.end("SIGKILL");
        const second = await stage.start("gateway", { env });
        const device = await connectDevice(second.addresses["device"]!, { id: "back" });
        stage.defer(() => device.connection.vanish());
        const turn = saysExactly(await device.ask("hello"), "Fine.");
        const lease = (await stage.bus.bucket(buckets.gateways).get("porch"))?.value;
        return both(turn, check(lease === undefined ? "no lease" : "has the lease", lease !== undefined));
      },
    },
  ],
};

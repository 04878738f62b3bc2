import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { defaultPorts, dropReasons } from "@voxbus/protocol";
import { describe, expect, it } from "vitest";
import { readName, readPage, readTable, root } from "./markdown.ts";
import { grants, passwordVariable } from "./permissions.ts";

const page = readPage("docs/operations.md");
const folders = ["alerts", "compose", "grafana", "kubernetes", "nats"];
const files = folders.flatMap((folder) =>
  readdirSync(`${root}deploy/${folder}`).map((name) => ({
    name: `${folder}/${name}`,
    text: readFileSync(`${root}deploy/${folder}/${name}`, "utf8"),
  })),
);
const sorted = (list: Iterable<string>) => [...new Set(list)].toSorted();

describe("deploy", () => {
  it("metrics: dashboards and rules use only documented ones", () => {
    const metrics = new Set(readTable(page, "table: metrics").map(([name]) => readName(name)));
    // The settings of nats-server name streams and buckets instead.
    const using = files.filter(({ name }) => !name.startsWith("nats/"));
    const asked = using.flatMap(({ text }) => text.match(/\bvoxbus_[a-z_]+/g) ?? []);
    const bare = (name: string) => name.replace(/_(?:total|bucket|sum|count)$/, "");
    expect(asked.length).toBeGreaterThan(30);
    expect(sorted(asked).filter((name) => !metrics.has(name) && !metrics.has(bare(name)))).toEqual([]);
  });

  it("variables: deployments set only documented ones", () => {
    const set = files.flatMap(({ text }) => text.match(/\bVOXBUS_[A-Z0-9_]*[A-Z0-9]\b/g) ?? []);
    expect(set.length).toBeGreaterThan(10);
    expect(sorted(set).filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });

  it("containers: each program has the flags and variables of Node that npm start gives it", async () => {
    const { listPrograms } = (await import(`${root}deploy/local/programs.mjs`)) as {
      readonly listPrograms: (options: { readonly gateways: number; readonly env: object }) => readonly {
        readonly program: string;
        readonly main: string;
        readonly flags: readonly string[];
        readonly variables: Readonly<Record<string, string>>;
      }[];
    };
    const text = readFileSync(`${root}deploy/compose/Dockerfile`, "utf8");
    const [shell = "", ...args] = JSON.parse(/^CMD (.*)$/m.exec(text)?.[1] ?? "[]") as string[];
    const script = args.at(-1)?.replace(/^exec node /, "echo ") ?? "";
    const arenas = /^ENV MALLOC_ARENA_MAX=(\d)$/m.exec(text)?.[1];
    for (const { program, main, flags, variables } of listPrograms({ gateways: 1, env: {} })) {
      const { stdout } = await promisify(execFile)(shell, [...args.slice(0, -1), script], {
        env: { PROGRAM: program },
      });
      expect([stdout.trim(), arenas]).toEqual([[...flags, main].join(" "), variables["MALLOC_ARENA_MAX"]]);
    }
  });

  it("ports: probes, scrapes and published ports are the defaults", () => {
    const { nats, ...programs } = defaultPorts;
    const textOf = (folder: string) => files.flatMap(({ name, text }) => (name.startsWith(folder) ? [text] : []));
    const manifests = textOf("kubernetes/").flatMap((text) => text.split(/^---$/m));
    for (const [program, ports] of Object.entries({ ...programs, nats: { client: nats } })) {
      const known = new Set<string>(Object.values(ports).map(String));
      const own = manifests
        .filter((text) => new RegExp(`^metadata: \\{ name: ${program} \\}$`, "m").test(text))
        .join("\n");
      const named = own.match(/(?<=[pP]ort: |port: "|:)(?:4222|8[01]\d\d|91\d\d)\b/g) ?? [];
      expect([program, new Set(named)]).toEqual([program, known]);
    }
    const prometheus = textOf("compose/prometheus").join("\n");
    const scraped = [...prometheus.matchAll(/names: \[(\w+)\], type: A, port: (\d+)/g)].map(([, ...pair]) => pair);
    expect(scraped).toEqual(Object.entries(programs).map(([name, { ops }]) => [name, String(ops)]));
    const compose = textOf("compose/compose.yaml").join("\n");
    for (const port of [defaultPorts.gateway.device, defaultPorts.monitor.http]) {
      expect(compose).toContain(`ports: ["127.0.0.1:${port}:${port}"]`);
    }
    for (const text of textOf("nats/").filter((text) => text.includes("listen:"))) {
      expect(text).toContain(`listen: "0.0.0.0:${nats}"`);
    }
  });

  it("kubernetes: NATS and the operations ports are open only to those that need them", () => {
    const text = files.find(({ name }) => name === "kubernetes/network.yaml")?.text ?? "";
    const { nats, ...programs } = defaultPorts;
    const names = Object.keys(programs);
    const policies = text.split(/^---$/m).map((policy) => {
      const [head = "", rules] = policy.split(/^  ingress:$/m);
      return {
        name: /^metadata: \{ name: (\w+) \}$/m.exec(head)?.[1],
        apps: /podSelector: (?:\{ matchLabels: \{ app: (\w+) \} \}|.*values: \[([\w, ]+)\])/
          .exec(head)
          ?.slice(1)
          .find(Boolean),
        open: (rules?.split(/^    - /m).slice(1) ?? []).map((rule) => ({
          ports: [...rule.matchAll(/(?:port|endPort): (\d+)/g)].map(([, port]) => Number(port)),
          from: [...rule.matchAll(/(?:app|voxbus\.\w+): "?(\w+)"?|values: \[([\w, ]+)\]/g)].map(([all]) => all),
        })),
      };
    });
    const all = names.toSorted().join();
    const order = (list: string | undefined) => list?.split(", ").toSorted().join();
    const ops = Object.values(programs).map((ports) => ports.ops);
    const ours = /values: \[([\w, ]+)\]/.exec(text)?.[0];
    expect(policies.map(({ name, apps, open }) => [name, order(apps), open])).toEqual([
      ["closed", undefined, []],
      [
        "nats",
        "nats",
        [
          { ports: [nats], from: [ours, 'voxbus.bus: "true"'] },
          { ports: [6222], from: ["app: nats"] },
        ],
      ],
      ["gateway", "gateway", [{ ports: [programs.gateway.device], from: [] }]],
      ["monitor", "monitor", [{ ports: [programs.monitor.http], from: [] }]],
      ["operations", all, [{ ports: [Math.min(...ops), Math.max(...ops)], from: ['voxbus.metrics: "true"'] }]],
    ]);
    expect(order(ours?.slice("values: [".length, -1))).toBe(all);
    const kustomization = files.find(({ name }) => name === "kubernetes/kustomization.yaml")?.text;
    expect(kustomization).toContain("network.yaml");
  });

  it("alerts: the drops are the monitor's, those of class fault", () => {
    const rules = files.find(({ name }) => name === "alerts/voxbus.rules.yml")?.text ?? "";
    const alerted = /dropped_frames_total\{reason=~"([^"]*)"/.exec(rules)?.[1]?.split("|") ?? [];
    const faults = Object.entries(dropReasons).filter(([, drop]) => drop.class === "fault");
    expect(sorted(alerted)).toEqual(sorted(faults.map(([reason]) => reason)));
  });

  it("grafana: the dashboard is JSON, and its panels have targets", () => {
    const text = files.find(({ name }) => name === "grafana/voxbus.json")?.text ?? "";
    const { panels } = JSON.parse(text) as { panels: { type: string; targets?: { expr: string }[] }[] };
    for (const { type, targets } of panels) if (type !== "row") expect(targets?.length).toBeGreaterThan(0);
  });

  it.each(["single", "cluster", "accounts"])("nats: nats-server accepts %s.conf", async (name) => {
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, [`${root}deploy/local/nats-server.mjs`]);
    const passwords = Object.fromEntries(grants.map((grant) => [passwordVariable(grant), "secret"]));
    const env = { ...process.env, NATS_NAME: "nats-0", NATS_ROUTES: "[nats://nats-1:6222]", ...passwords };
    const { stderr } = await run(stdout.trim(), ["-t", "-c", `${root}deploy/nats/${name}.conf`], { env });
    expect(stderr).toContain("is valid");
  });

  it("nats: accounts.conf and the cluster on Kubernetes have the same settings", () => {
    const textOf = (name: string) => files.find((file) => file.name === name)?.text ?? "";
    const settings = textOf("nats/voxbus.conf").match(/^(?:no_fast_producer_stall|write_deadline|no_auth_user): .+$/gm);
    expect(settings).toHaveLength(3);
    for (const setting of settings ?? []) expect(textOf("kubernetes/nats.yaml")).toContain(setting);
    for (const setting of settings?.slice(0, 2) ?? []) expect(textOf("nats/accounts.conf")).toContain(setting);
    for (const name of ["nats/voxbus.conf", "nats/accounts.conf", "kubernetes/nats.yaml"]) {
      expect(textOf(name)).toContain('msg_trace { dest: "voxbus.trace" }');
    }
  });
});

import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { defaultPorts, dropReasons } from "@voxbus/protocol";
import { describe, expect, it } from "vitest";
import { readName, readPage, readTable, root } from "./markdown.ts";
import { grants } from "./grants.ts";
import { passwordVariable } from "./permissions.ts";

const page = readPage("docs/operations.md");
const folders = ["alerts", "caddy", "compose", "grafana", "kubernetes", "nats", "nginx", "systemd"];
const files = folders.flatMap((folder) =>
  readdirSync(`${root}deploy/${folder}`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name, parentPath }) => ({
      name: `${parentPath}/${name}`.slice(`${root}deploy/`.length),
      text: readFileSync(`${parentPath}/${name}`, "utf8"),
    })),
);
const sorted = (list: Iterable<string>) => [...new Set(list)].toSorted();

async function loadPrograms() {
  return (await import(`${root}deploy/local/programs.mjs`)) as {
    readonly listPrograms: (options: { readonly gateways: number; readonly env: object }) => readonly {
      readonly program: string;
      readonly main: string;
      readonly flags: readonly string[];
      readonly variables: Readonly<Record<string, string>>;
    }[];
  };
}

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

  it("npm start: each gateway has ports of its own, also for devices that sleep", async () => {
    const { listPrograms } = await loadPrograms();
    const env = { VOXBUS_MQTT_PORT: "1883", VOXBUS_GATEWAY_WORKERS: "3" };
    const gateways = listPrograms({ gateways: 3, env }).filter(({ program }) => program === "gateway");
    const portsOf = (name: string) => gateways.map(({ variables }) => variables[name]);
    expect(portsOf("VOXBUS_MQTT_PORT")).toEqual(["1883", "1884", "1885"]);
    expect(portsOf("VOXBUS_UDP_PORT")).toEqual(["8884", "8887", "8890"]);
    expect(listPrograms({ gateways: 1, env: {} })[0]?.variables).not.toHaveProperty("VOXBUS_UDP_PORT");
  });

  it("containers: each program has the flags and variables of Node that npm start gives it", async () => {
    const { listPrograms } = await loadPrograms();
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

  it("subscribers.md: a program beside ours reaches the same NATS", () => {
    const subscribers = readPage("docs/subscribers.md");
    const readBlock = (name: string) =>
      new RegExp(`^<!-- ${name} -->\\n+\`\`\`yaml\\n([^]*?)^\`\`\`$`, "m").exec(subscribers)?.[1] ?? "";
    const textOf = (wanted: string) => files.find(({ name }) => name === wanted)?.text ?? "";
    const url = /VOXBUS_NATS_URL: \$\{VOXBUS_NATS_URL:-(\S+)\}/.exec(textOf("compose/compose.yaml"))?.[1] ?? "none";
    expect(readBlock("compose")).toContain(`VOXBUS_NATS_URL: ${url}\n`);
    expect(readBlock("compose")).toContain("depends_on: [nats]");
    // The network policy admits the label, and the configuration map has the addresses.
    expect(textOf("kubernetes/base/network.yaml")).toContain('podSelector: { matchLabels: { voxbus.bus: "true" } }');
    expect(readBlock("kubernetes")).toContain('labels: { app: doorbell, voxbus.bus: "true" }');
    expect(textOf("kubernetes/base/addresses.yaml")).toContain("kind: ConfigMap\nmetadata: { name: voxbus }\n");
    expect(readBlock("kubernetes")).toContain("configMapRef: { name: voxbus }");
  });

  it("ports: scrapes and published ports are the defaults", () => {
    const { nats, ...programs } = defaultPorts;
    const textOf = (folder: string) => files.flatMap(({ name, text }) => (name.startsWith(folder) ? [text] : []));
    const prometheus = textOf("compose/prometheus").join("\n");
    const scraped = [...prometheus.matchAll(/names: \[(\w+)\], type: A, port: (\d+)/g)].map(([, ...pair]) => pair);
    expect(scraped).toEqual(Object.entries(programs).map(([name, { ops }]) => [name, String(ops)]));
    const compose = textOf("compose/compose.yaml").join("\n");
    for (const [name, port] of [
      ["VOXBUS_GATEWAY_PORT", defaultPorts.gateway.device],
      ["VOXBUS_MONITOR_PORT", defaultPorts.monitor.http],
    ] as const) {
      const own = `\${${name}:-${port}}`;
      expect(compose).toContain(`ports: ["\${VOXBUS_BIND:-127.0.0.1}:${own}:${own}"]`);
    }
    const sleepers = textOf("compose/mqtt.yaml").join("\n");
    for (const own of ["${VOXBUS_MQTT_PORT:-1883}", "${VOXBUS_UDP_PORT:-8884}"])
      expect(sleepers).toContain(`"\${VOXBUS_BIND:-127.0.0.1}:${own}:${own}`);
    for (const text of textOf("nats/").filter((text) => text.includes("listen:"))) {
      expect(text).toContain(`listen: "0.0.0.0:${nats}"`);
    }
  });

  it("alerts: the drops are the monitor's, those of class fault", () => {
    const rules = files.find(({ name }) => name === "alerts/voxbus.rules.yml")?.text ?? "";
    const alerted = /dropped_frames_total\{reason=~"([^"]*)"/.exec(rules)?.[1]?.split("|") ?? [];
    const faults = Object.entries(dropReasons).filter(([, drop]) => drop.class === "fault");
    expect(sorted(alerted)).toEqual(sorted(faults.map(([reason]) => reason)));
  });

  it("runbook: each alert has a section, which its rule links to, and each section is of an alert", () => {
    const text = files.find(({ name }) => name === "alerts/voxbus.rules.yml")?.text ?? "";
    const linked = text
      .split("- alert: ")
      .slice(1)
      .map((rule) => /^ +runbook_url: docs\/runbook\.md#(\S+)$/m.exec(rule)?.[1]);
    expect(linked.length).toBeGreaterThan(10);
    const raised = readTable(page, "table: alerts").map(([name]) => readName(name));
    const sections = readPage("docs/runbook.md").split(/^## /m).slice(1);
    expect(sorted(sections.map((section) => /^\S+/.exec(section)?.[0] ?? ""))).toEqual(
      sorted([...raised, ...linked.map((name) => name ?? "no link")]),
    );
    for (const section of sections) {
      const items = section.match(/^- \*\*.*?\*\*: /gm);
      expect([section.slice(0, 20), items]).toEqual([
        section.slice(0, 20),
        ["- **Means**: ", "- **Look at**: ", "- **Do**: "],
      ]);
    }
  });

  it("runbook: it names only documented metrics and variables", () => {
    const runbook = readPage("docs/runbook.md");
    const metrics = new Set(readTable(page, "table: metrics").map(([name]) => readName(name)));
    expect(sorted(runbook.match(/\bvoxbus_[a-z_]+/g) ?? []).filter((name) => !metrics.has(name))).toEqual([]);
    const variables = sorted(runbook.match(/\bVOXBUS_[A-Z0-9_]+/g) ?? []);
    expect(variables.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
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

  it("nats: accounts.conf has the settings of voxbus.conf, and every server includes one of them", () => {
    const textOf = (name: string) => files.find((file) => file.name === name)?.text ?? "";
    const settings = textOf("nats/voxbus.conf").match(/^(?:no_fast_producer_stall|write_deadline): .+$/gm);
    expect(settings).toHaveLength(2);
    for (const setting of settings ?? []) expect(textOf("nats/accounts.conf")).toContain(setting);
    for (const name of ["nats/voxbus.conf", "nats/accounts.conf"]) {
      expect(textOf(name)).toContain('msg_trace { dest: "voxbus.trace" }');
    }
    for (const name of ["nats/single.conf", "nats/cluster.conf", "nats/secure.conf", "systemd/nats.conf"]) {
      expect(textOf(name)).toMatch(/^include \S*\b(?:voxbus|accounts)\.conf$/m);
    }
  });
});

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { defaultPorts } from "@voxbus/protocol";
import { knownVariables } from "@voxbus/service";
import { startSubscriber, variablesOf, type Program } from "@voxbus/subscriber";
import { findFreePort, leave, openTestDevice, startNatsServer, type NatsServer } from "@voxbus/testing";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { loadPrograms } from "../docs/generate.ts";
import { readPage, root } from "../docs/markdown.ts";
import { startProgram } from "../e2e/accounts.ts";
import { checkTypes } from "./manifest-types.ts";
import {
  copyOverlay,
  findKubectl,
  findManifest,
  listPrograms,
  readEnvironment,
  renderManifests,
  type Manifest,
} from "./manifests.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 });

const folder = "deploy/kubernetes";
const { nats: natsPort, ...ports } = defaultPorts;
const programNames = Object.keys(ports);
/** The programs that only those have who add them. */
const added = ["mcp", "asr-shadow", "dialogue-shadow"];
/** The longest time of a drain, s (docs/operations.md, start and stop). */
const drainS = 30;

const whole = copyOverlay("production", ["../../mcp", "../../shadow"]);
const sleepers = copyOverlay("local");
const overlays = {
  base: `${folder}/base`,
  local: `${folder}/overlays/local`,
  production: `${folder}/overlays/production`,
  "local with everything": sleepers,
  "production with everything": whole,
};
writeFileSync(`${whole}/mcp.json`, '{ "mcpServers": {} }');
type Overlay = keyof typeof overlays;
const names = Object.keys(overlays) as Overlay[];

const rendered = new Map<Overlay, readonly Manifest[]>();
let programs: readonly Program[];
let nats: NatsServer;
let missing: string | undefined;
const kubectl = await findKubectl().catch((error: Error) => {
  missing = error.message;
  return "";
});

beforeAll(async () => {
  programs = await loadPrograms();
  nats = await startNatsServer();
  if (missing !== undefined) return;
  for (const name of names) rendered.set(name, await renderManifests(kubectl, overlays[name]));
});
afterAll(async () => {
  await nats?.stop();
  for (const copy of [whole, sleepers]) rmSync(copy, { recursive: true });
});

const manifestsOf = (name: Overlay) => rendered.get(name) ?? [];
const listPods = (name: Overlay) => manifestsOf(name).filter(({ kind }) => /^(?:Deployment|StatefulSet)$/.test(kind));
const programsOf = (name: Overlay) => listPrograms(manifestsOf(name));
const programOf = ({ spec }: Manifest) => {
  const [{ env = [] }] = spec.template.spec.containers;
  const wanted = env.find((one) => one.name === "PROGRAM")?.value;
  return programs.find((one) => one.name === wanted)!;
};
/** The ports of each set of pods. */
const podPorts = {
  ...ports,
  "gateway-mqtt": { mqtt: 1883, audio: 8884, ops: ports.gateway.ops },
  "asr-shadow": ports.asr,
  "dialogue-shadow": ports.dialogue,
};

it.skipIf(missing !== undefined)(
  `objects: the API of Kubernetes has every field of them ${missing ?? ""}`,
  async () => {
    const all = names.flatMap(manifestsOf);
    expect(all.length).toBeGreaterThan(100);
    expect(await checkTypes(all)).toEqual([]);
  },
);

describe.skipIf(missing !== undefined).each(names)(`kubernetes, %s ${missing ?? ""}`, (name) => {
  it("programs: each runs, in the namespace, and as many of each as the cluster needs", () => {
    const usual = programNames.filter((one) => one !== "mcp");
    const all = name === "production with everything" ? [...usual, ...added] : usual;
    expect(programsOf(name).map(({ metadata }) => metadata.name)).toEqual(expect.arrayContaining(all));
    for (const { kind, metadata } of manifestsOf(name)) {
      if (kind !== "Namespace")
        expect([kind, metadata.name, metadata.namespace]).toEqual([kind, metadata.name, "voxbus"]);
    }
  });

  it("references: what a pod takes its settings and files from is there, or is created by a command of run.md", () => {
    const created = readPage("docs/run.md");
    const isThere = (kind: "ConfigMap" | "Secret", named: string) =>
      manifestsOf(name).some((one) => one.kind === kind && one.metadata.name === named) ||
      new RegExp(`create ${kind === "Secret" ? "secret (?:generic|tls)" : "configmap"} ${named}\\b`).test(created) ||
      ["mcp", "shadow"].some((one) =>
        readPage(`${folder}/${one}/kustomization.yaml`).includes(
          `create ${kind === "Secret" ? "secret generic" : "configmap"} ${named} `,
        ),
      );
    const needed = listPods(name).flatMap(({ spec: { template } }) => {
      const [{ env = [], envFrom = [] }] = template.spec.containers;
      const { volumes = [] } = template.spec;
      return [
        ...env.map(({ valueFrom }) => ["Secret", valueFrom?.secretKeyRef?.name] as const),
        ...envFrom.map(({ secretRef }) => ["Secret", secretRef?.name] as const),
        ...envFrom.map(({ configMapRef }) => ["ConfigMap", configMapRef?.name] as const),
        ...volumes.map(({ configMap }) => ["ConfigMap", configMap?.name] as const),
        ...volumes.map(({ secret }) => ["Secret", secret?.secretName] as const),
      ];
    });
    const named = needed.flatMap(([kind, one]) => (one === undefined ? [] : [[kind, one] as const]));
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter(([kind, one]) => !isThere(kind, one))).toEqual([]);
  });

  it("selectors: each finds pods, and each port has a name that they have", () => {
    const pods = listPods(name).flatMap(({ kind, metadata, spec }) =>
      Array.from({ length: kind === "StatefulSet" ? Number(spec["replicas"]) : 1 }, (_, at) => ({
        ...spec.template.metadata.labels,
        "statefulset.kubernetes.io/pod-name": `${metadata.name}-${at}`,
      })),
    );
    const find = (labels: Readonly<Record<string, string>>) =>
      pods.filter((pod: Readonly<Record<string, string>>) =>
        Object.entries(labels).every(([key, value]) => pod[key] === value),
      );
    for (const { kind, metadata, spec } of manifestsOf(name)) {
      const { selector, scaleTargetRef } = spec ?? {};
      const labels = kind === "Service" ? selector : (selector as { matchLabels?: object } | undefined)?.matchLabels;
      if (kind === "Service" || kind === "PodDisruptionBudget") {
        const found = find(labels as Readonly<Record<string, string>>);
        expect([kind, metadata.name, found.length > 0]).toEqual([kind, metadata.name, true]);
      }
      if (scaleTargetRef === undefined) continue;
      const { name: target } = scaleTargetRef as { readonly name: string };
      expect(findManifest(manifestsOf(name), "Deployment", target).spec).not.toHaveProperty("replicas");
    }
  });

  it("pods: each drains before it ends, is probed, has an image by its version, and no rights", () => {
    const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { readonly version: string };
    for (const { metadata, spec } of programsOf(name)) {
      const { containers, terminationGracePeriodSeconds = 0 } = spec.template.spec;
      const [container] = containers;
      expect(terminationGracePeriodSeconds).toBeGreaterThan(drainS);
      expect(container).toMatchObject({
        image: `voxbus:${version}`,
        imagePullPolicy: "IfNotPresent",
        lifecycle: { preStop: { exec: { command: ["node", "deploy/compose/operations.mjs", "pre-stop"] } } },
        readinessProbe: { httpGet: { path: "/readyz", port: "ops" } },
        livenessProbe: { httpGet: { path: "/livez", port: "ops" } },
        resources: { requests: { cpu: expect.any(String), memory: expect.any(String) } },
        securityContext: { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
      });
      const { ops, ...own } = podPorts[metadata.name as keyof typeof podPorts];
      const listening = Object.fromEntries((container.ports ?? []).map((port) => [port.name, port.containerPort]));
      expect([metadata.name, listening]).toEqual([metadata.name, { ...own, ops }]);
      const [first, ...others] = manifestsOf(name).filter(
        ({ kind, metadata: { name: of } }) => kind === "PodDisruptionBudget" && of === metadata.name,
      );
      if (!added.includes(metadata.name))
        expect([metadata.name, first !== undefined, others]).toEqual([metadata.name, true, []]);
    }
  });

  it("variables: each program reads its own, and all programs together read the shared ones", () => {
    for (const deployment of programsOf(name)) {
      const own = deployment.spec.template.spec.containers[0].env ?? [];
      const read = new Set(variablesOf(programOf(deployment)).map((variable) => variable.name));
      expect(own.filter((one) => one.name !== "PROGRAM" && !read.has(one.name))).toEqual([]);
      const all = Object.keys(readEnvironment(manifestsOf(name), deployment.spec.template));
      expect(all.filter((one) => one !== "PROGRAM" && !knownVariables.includes(one))).toEqual([]);
    }
  });

  it("settings: every program accepts those that its pod gets", async () => {
    for (const deployment of programsOf(name)) {
      const program = programOf(deployment);
      const env = { ...readEnvironment(manifestsOf(name), deployment.spec.template), ...here(program.name) };
      const running = await startSubscriber({ ...program, streams: [] }, async () => ({}), env);
      await running.stop("quick");
    }
  });

  // The others set the gateway as these do.
  it.runIf(name === "base" || name === "production")(
    "devices: one that asks for its configuration connects, and says hello",
    async () => {
      const { template } = findManifest(manifestsOf(name), "Deployment", "gateway").spec;
      const port = String(await findFreePort());
      const env = { ...readEnvironment(manifestsOf(name), template), ...here("gateway"), VOXBUS_GATEWAY_PORT: port };
      const gateway = await startProgram("apps/gateway/dist/main.js", { name: "gateway", env });
      const id = "aa:bb:cc:dd:ee:ff";
      try {
        const headers = { "Device-Id": id, "Client-Id": "test" };
        const answer = await fetch(`http://127.0.0.1:${port}/xiaozhi/ota/`, { method: "POST", headers, body: "{}" });
        const { websocket } = (await answer.json()) as {
          readonly websocket: { readonly url: string; readonly token: string };
        };
        const own = `ws://127.0.0.1:${port}/xiaozhi/v1/`;
        expect(websocket.url).toBe((env as Readonly<Record<string, string>>)["VOXBUS_PUBLIC_URL"] ?? own);
        const signed = { "Client-Id": "test", Authorization: `Bearer ${websocket.token}` };
        const opened = await openTestDevice(own, { id, headers: signed });
        expect(opened.session).not.toBe("");
        await leave(opened);
      } finally {
        await gateway.end();
      }
    },
  );

  it("network: NATS and the operations ports are open only to those that need them", () => {
    const policies = manifestsOf(name).filter(({ kind }) => kind === "NetworkPolicy");
    const bus = { podSelector: { matchLabels: { "voxbus.bus": "true" } } };
    const own = (app: string) => ({ podSelector: { matchLabels: { app } } });
    const scraper = { namespaceSelector: {}, podSelector: { matchLabels: { "voxbus.metrics": "true" } } };
    const ops = Object.values(ports).map((port) => port.ops);
    const rules = Object.fromEntries(policies.map(({ metadata, spec }) => [metadata.name, spec]));
    expect(rules["closed"]).toEqual({ podSelector: {}, policyTypes: ["Ingress"] });
    expect(rules["nats"]).toMatchObject({
      ...own("nats"),
      ingress: [
        { from: [bus], ports: [{ port: natsPort }] },
        { from: [own("nats")], ports: [{ port: 6222 }] },
      ],
    });
    expect(rules["operations"]).toMatchObject({
      ...bus,
      ingress: [{ from: [scraper], ports: [{ port: Math.min(...ops), endPort: Math.max(...ops) }] }],
    });
    const open = name.startsWith("production") ? { from: [{ namespaceSelector: expect.anything() as object }] } : {};
    for (const [app, port] of [
      ["gateway", ports.gateway.device],
      ["monitor", ports.monitor.http],
    ] as const) {
      expect(rules[app]).toEqual({ ...own(app), policyTypes: ["Ingress"], ingress: [{ ...open, ports: [{ port }] }] });
    }
    for (const { spec } of programsOf(name)) expect(spec.template.metadata.labels["voxbus.bus"]).toBe("true");
  });

  it("NATS: as many servers as copies, and each program knows them", () => {
    const { spec } = findManifest(manifestsOf(name), "StatefulSet", "nats");
    const { VOXBUS_NATS_REPLICAS: copies, VOXBUS_NATS_URL: url = "" } =
      findManifest(manifestsOf(name), "ConfigMap", "voxbus").data ?? {};
    expect(copies).toBe(String(spec["replicas"]));
    const [container] = spec.template.spec.containers;
    const settings = findManifest(manifestsOf(name), "ConfigMap", "nats").data ?? {};
    const used = settings[/[\w.]+$/.exec(container.args?.[1] ?? "")?.[0] ?? ""] ?? "";
    expect(used).toContain(`listen: "0.0.0.0:${natsPort}"`);
    const scheme = used.includes("tls {") ? "tls" : "nats";
    const hosts = Array.from({ length: Number(copies) }, (_, at) => `nats-${at}.nats`);
    expect(url).toBe(hosts.map((host) => `${scheme}://${host}:${natsPort}`).join());
    const routes = container.env?.find((one) => one.name === "NATS_ROUTES")?.value;
    if (hosts.length > 1) expect(routes).toBe(`[${hosts.map((host) => `nats://${host}:6222`).join(", ")}]`);
    for (const file of used.match(/"\/etc\/nats-tls\/[^"]+"/g) ?? []) {
      expect(container.volumeMounts?.some(({ mountPath }) => file.startsWith(`"${mountPath}/`))).toBe(true);
    }
  });
});

/** Gives the variables that differ here: free ports, no users and no TLS, and a file. */
function here(program: string): Readonly<Record<string, string>> {
  const empty = ["NATS_USER", "NATS_PASSWORD", "NATS_CA", "MQTT_TLS_CERT", "MQTT_TLS_KEY"].map((name) => [
    `VOXBUS_${name}`,
    "",
  ]);
  const opsPort = `VOXBUS_${program.toUpperCase()}_OPS_PORT`;
  const file = program === "mcp" ? { VOXBUS_MCP_FILE: `${whole}/mcp.json` } : {};
  return {
    ...file,
    ...Object.fromEntries(empty),
    VOXBUS_NATS_URL: nats.url,
    VOXBUS_NATS_REPLICAS: "1",
    [opsPort]: "0",
  };
}

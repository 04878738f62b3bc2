import { readFileSync, rmSync } from "node:fs";
import { buckets } from "@voxbus/protocol";
import { connectMqtt, findFreePort, connectTestBus, startNatsServer } from "@voxbus/testing";
import { afterAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { parse } from "yaml";
import { root } from "../docs/markdown.ts";
import { startProgram } from "../e2e/accounts.ts";
import {
  copyOverlay,
  findKubectl,
  findManifest,
  readEnvironment,
  renderManifests,
  type Manifest,
} from "./manifests.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

interface Port {
  readonly port: number;
  readonly nodePort?: number;
  readonly targetPort: string;
  readonly protocol?: string;
}

const name = "gateway-mqtt";
const copies = { local: copyOverlay("local"), production: copyOverlay("production") };
afterAll(() => {
  for (const copy of Object.values(copies)) rmSync(copy, { recursive: true });
});
let missing: string | undefined;
const kubectl = await findKubectl().catch((error: Error) => {
  missing = error.message;
  return "";
});
const rendered = new Map<string, readonly Manifest[]>();
if (missing === undefined)
  for (const [overlay, folder] of Object.entries(copies)) rendered.set(overlay, await renderManifests(kubectl, folder));

/** Gives the environment of a gateway: of one for MQTT, by its number, or of another. */
function environmentOf(overlay: keyof typeof copies, number?: number): Readonly<Record<string, string>> {
  const manifests = rendered.get(overlay) ?? [];
  if (number === undefined)
    return readEnvironment(manifests, findManifest(manifests, "Deployment", "gateway").spec.template);
  return readEnvironment(manifests, findManifest(manifests, "StatefulSet", name).spec.template, `${name}-${number}`);
}

function portOf(overlay: keyof typeof copies, service: string): Port {
  const { spec } = findManifest(rendered.get(overlay) ?? [], "Service", service);
  const [port] = spec["ports"] as readonly [Port];
  return port;
}

describe.skipIf(missing !== undefined)(`gateways for devices that sleep ${missing ?? ""}`, () => {
  it.each(["local", "production"] as const)("%s: the audio of a device reaches the pod that took it", (overlay) => {
    const manifests = rendered.get(overlay) ?? [];
    const { replicas } = findManifest(manifests, "StatefulSet", name).spec as { readonly replicas?: number };
    expect(replicas).toBeGreaterThan(0);
    const addresses = Array.from({ length: replicas ?? 0 }, (_, number) => {
      const pod = `${name}-${number}`;
      const { spec } = findManifest(manifests, "Service", pod);
      expect(spec).toMatchObject({
        externalTrafficPolicy: "Local",
        publishNotReadyAddresses: true,
        selector: { "statefulset.kubernetes.io/pod-name": pod },
        ports: [{ port: 8884, targetPort: "audio", protocol: "UDP" }],
      });
      return environmentOf(overlay, number)["VOXBUS_UDP_ADDRESS"];
    });
    const named = addresses.map((_, number) => `${name}-${number}.voice.example`);
    expect(addresses).toEqual(overlay === "local" ? ["192.168.1.20"] : named);
  });

  it("production: MQTT is on the port of TLS, which other gateways tell devices", () => {
    expect(portOf("production", name)).toMatchObject({ port: 8883, targetPort: "mqtt" });
    expect(environmentOf("production")["VOXBUS_MQTT_ENDPOINT"]).toBe("mqtt.voice.example:8883");
    const { VOXBUS_MQTT_TLS_CERT: certificate = "" } = environmentOf("production", 0);
    const [{ volumeMounts = [] }] = findManifest(rendered.get("production") ?? [], "StatefulSet", name).spec.template
      .spec.containers;
    expect(volumeMounts.some(({ mountPath }) => certificate.startsWith(`${mountPath}/`))).toBe(true);
    expect(environmentOf("production", 0)).toMatchObject({
      VOXBUS_AUTH_KEY: environmentOf("production")["VOXBUS_AUTH_KEY"],
    });
  });

  it("local: the ports of the machine lead to the node ports, in kind and in minikube", () => {
    const folder = `${root}deploy/kubernetes/overlays/local/`;
    const kind = parse(readFileSync(`${folder}kind.yaml`, "utf8").replaceAll("#- ", "- ")) as {
      readonly nodes: readonly [{ readonly extraPortMappings: readonly { readonly hostPort: number }[] }];
    };
    const minikube = readFileSync(`${folder}kustomization.yaml`, "utf8");
    for (const [service, hostPort] of [
      ["gateway", 8000],
      ["monitor", 8080],
      [name, 1883],
      [`${name}-0`, 8884],
    ] as const) {
      const { nodePort: containerPort, protocol } = portOf("local", service);
      const udp = protocol === "UDP" ? { protocol } : {};
      expect(kind.nodes[0].extraPortMappings).toContainEqual({ containerPort, hostPort, ...udp });
      expect(minikube).toMatch(
        new RegExp(`(--ports=|,)\\S*\\b${hostPort}:${containerPort}${protocol === "UDP" ? "/udp" : ""}\\b`),
      );
    }
  });

  it("local: a device is sent from one gateway to another, which tells it where its audio goes", async () => {
    const nats = await startNatsServer();
    onTestFinished(() => nats.stop());
    const [device, mqtt] = [await findFreePort(), await findFreePort()];
    const here = { VOXBUS_NATS_URL: nats.url, VOXBUS_GATEWAY_OPS_PORT: "0" };
    const asked = { ...environmentOf("local"), ...here, VOXBUS_GATEWAY_PORT: String(device) };
    const free = { VOXBUS_GATEWAY_PORT: "0", VOXBUS_MQTT_PORT: String(mqtt), VOXBUS_UDP_PORT: "0" };
    for (const env of [asked, { ...environmentOf("local", 0), ...here, ...free }]) {
      const gateway = await startProgram("apps/gateway/dist/main.js", { name: "gateway", env });
      onTestFinished(async () => void (await gateway.end()));
    }
    const bus = await connectTestBus(nats.url);
    onTestFinished(() => bus.close());
    await bus.bucket(buckets.profiles).put("sleeper", { transport: "mqtt" });
    const headers = { "Device-Id": "sleeper", "Client-Id": "client" };
    const ask = async () => {
      const answer = await fetch(`http://127.0.0.1:${device}/xiaozhi/ota/`, { method: "POST", headers, body: "{}" });
      return ((await answer.json()) as { readonly mqtt?: { readonly endpoint: string } }).mqtt?.endpoint;
    };
    await expect.poll(ask).toBe("192.168.1.20:1883");
    const sleeper = await connectMqtt({ port: mqtt, id: "sleeper" });
    sleeper.send({ type: "hello", version: 3, transport: "udp" });
    expect(await sleeper.next(({ type }) => type === "hello")).toMatchObject({ udp: { server: "192.168.1.20" } });
    sleeper.vanish();
    await sleeper.closed;
  });
});

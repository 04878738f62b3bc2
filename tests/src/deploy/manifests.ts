import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { root } from "../docs/markdown.ts";
import { findDebianCommand } from "../suites/debian-tree.ts";
import { replaceIn } from "../suites/replace-in.ts";

/** A variable of a container. */
export interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly secretKeyRef?: { readonly name: string; readonly key: string };
    readonly fieldRef?: { readonly fieldPath: string };
  };
}

interface Source {
  readonly configMapRef?: { readonly name: string };
  readonly secretRef?: { readonly name: string; readonly optional?: boolean };
}

/** A container of a pod. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy?: string;
  readonly args?: readonly string[];
  readonly env?: readonly EnvVar[];
  readonly envFrom?: readonly Source[];
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly [field: string]: unknown;
}

/** A pod as a Deployment or a StatefulSet describes it. */
export interface PodTemplate {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: {
    readonly containers: readonly [Container];
    readonly terminationGracePeriodSeconds?: number;
    readonly volumes?: readonly {
      readonly name: string;
      readonly configMap?: { readonly name: string };
      readonly secret?: { readonly secretName: string; readonly items?: readonly { readonly key: string }[] };
    }[];
  };
}

/** An object of Kubernetes. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  /** The data of a ConfigMap. */
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: Readonly<Record<string, unknown>> & { readonly template: PodTemplate };
}

/** Finds a kubectl with Kustomize 5, on this machine or in Debian. Rejects if it cannot be had. */
export function findKubectl(): Promise<string> {
  return findDebianCommand({
    name: "kubectl",
    version: ["version", "--client"],
    suite: "trixie",
    isUsable: (version) => /^Kustomize Version: v[5-9]/m.test(version),
  });
}

/** Renders a folder as `kubectl apply -k` does. */
export async function renderManifests(kubectl: string, folder: string): Promise<readonly Manifest[]> {
  const { stdout } = await promisify(execFile)(kubectl, ["kustomize", folder], { cwd: root, maxBuffer: 1e7 });
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
}

const kubernetes = "deploy/kubernetes";

/** Copies an overlay with all that its comments offer, and with more resources. Gives the folder of the copy. */
export function copyOverlay(name: string, resources: readonly string[] = []): string {
  mkdirSync(`${root}.cache`, { recursive: true });
  const folder = mkdtempSync(`${root}.cache/overlay-`);
  cpSync(`${root}${kubernetes}/overlays/${name}`, folder, { recursive: true });
  const change = (file: string, changes: Parameters<typeof replaceIn>[1]) =>
    writeFileSync(`${folder}/${file}`, replaceIn(readFileSync(`${folder}/${file}`, "utf8"), changes));
  const more = ["../../base", ...resources].map((one) => `\n  - ${one}`).join("");
  change("kustomization.yaml", [
    ["#- ../../", "- ../../"],
    ["\n  - ../../base", more],
    [" ../../", ` ../../${kubernetes}/`],
  ]);
  if (name === "production") change("settings.env", [["#VOXBUS_MQTT", "VOXBUS_MQTT"]]);
  else change("kustomization.yaml", [["#configMapGenerator:\n# ", "configMapGenerator:\n "]]);
  return folder;
}

/** Lists the programs: the Deployments, and the gateways of deploy/kubernetes/mqtt. */
export function listPrograms(manifests: readonly Manifest[]): readonly Manifest[] {
  return manifests.filter(
    ({ kind, metadata: { name } }) => kind === "Deployment" || (kind === "StatefulSet" && name !== "nats"),
  );
}

/** Gives the only object of a kind with this name, with or without the hash that Kustomize adds. Throws if it is missing. */
export function findManifest(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const isNamed = (found: string) => found === name || found.replace(/-[a-z0-9]{10}$/, "") === name;
  const manifest = manifests.find((one) => one.kind === kind && isNamed(one.metadata.name));
  if (manifest === undefined) throw new Error(`there is no ${kind} ${name}`);
  return manifest;
}

/**
 * Gives the variables of a pod's container as the kubelet does: `$(NAME)` stands for a variable before. Values of secrets are
 * made up: `secret` and the key.
 */
export function readEnvironment(
  manifests: readonly Manifest[],
  { spec }: PodTemplate,
  podName = "any-7d4b9c6f5-x2v8q",
): Readonly<Record<string, string>> {
  const [{ env = [], envFrom = [] }] = spec.containers;
  const shared = envFrom.flatMap(({ configMapRef }) =>
    configMapRef ? Object.entries(findManifest(manifests, "ConfigMap", configMapRef.name).data ?? {}) : [],
  );
  const own = new Map<string, string>();
  for (const { name, value, valueFrom } of env) {
    const { secretKeyRef } = valueFrom ?? {};
    const expanded = value?.replace(/\$\((\w+)\)/g, (whole, other: string) => own.get(other) ?? whole);
    // Fields are names of pods.
    own.set(name, expanded ?? (secretKeyRef ? `secret-of-${secretKeyRef.key}` : podName));
  }
  return Object.fromEntries([...shared, ...own]);
}

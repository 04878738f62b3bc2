import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { connectBus, type Bus } from "@voxbus/bus";
import { findFreePort, makeCertificate, silentLog } from "@voxbus/testing";
import { cliUser, grants } from "../docs/grants.ts";
import { passwordVariable } from "../docs/permissions.ts";
import type { Entrance } from "../faults/device.ts";
import { startProxy, type Proxy } from "../proxies/proxy.ts";
import { createAdmission, type ActivationMode } from "./admission.ts";
import { createMember, programs, type Member, type ProgramName } from "./member.ts";
import { prepareNatsNodes, type NatsNode } from "./nats-node.ts";
import type { Release } from "./release.ts";

/** The system of deploy/kubernetes/overlays/production, in processes of this machine. */
export interface Cluster extends Entrance {
  readonly nats: readonly NatsNode[];
  readonly nginx: Proxy;
  /** The command line's connection to the bus. */
  readonly bus: Bus;
  /** Gives the processes of a program, or of all. */
  members(program?: ProgramName): readonly Member[];
  /** Runs the command line as its user, and gives what it prints. Rejects if it fails. */
  voxbus(...args: readonly string[]): Promise<string>;
  /** A folder for files of steps. */
  readonly folder: string;
  output(): string;
  close(): Promise<void>;
}

/**
 * Starts three servers of NATS with TLS and users, two of each program, and nginx before the gateways and the monitors.
 * Devices are let in at once, or after an operator typed the code that they show.
 */
export async function openCluster(release: Release, activation: ActivationMode): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), "voxbus-cluster-"));
  const certificate = makeCertificate(folder, "server");
  const passwords = Object.fromEntries(grants.map((grant) => [passwordVariable(grant), makeSecret()]));
  const nats = await prepareNatsNodes({ settings: "secure.conf", folder, certificate, passwords });
  const port = await findFreePort();
  const access = {
    VOXBUS_NATS_URL: nats.map(({ url }) => url).join(),
    VOXBUS_NATS_REPLICAS: "3",
    VOXBUS_NATS_CA: certificate.cert,
  };
  const shared = {
    ...access,
    VOXBUS_LOG_FORMAT: "json",
    VOXBUS_AUTH: "hmac",
    VOXBUS_AUTH_KEY: makeSecret(),
    ...(activation === "code" ? { VOXBUS_ACTIVATION: "code" } : { VOXBUS_OTA_ALLOW: "*" }),
    VOXBUS_MONITOR_TOKEN: makeSecret(),
    VOXBUS_PUBLIC_URL: `wss://localhost:${port}/xiaozhi/v1/`,
    VOXBUS_TRUSTED_PROXIES: "127.0.0.1,::1",
    // The devices talk without a pause.
    VOXBUS_MAX_TURNS_MIN: "1000",
  };
  const operator = { VOXBUS_NATS_USER: cliUser, VOXBUS_NATS_PASSWORD: passwords[passwordVariable({ user: cliUser })]! };
  const members = new Map<ProgramName, readonly Member[]>();
  let nginx: Proxy | undefined;
  let bus: Bus | undefined;
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  const all = () => [...members.values()].flat();
  const close = async () => {
    await bus?.close();
    await nginx?.stop();
    await Promise.all(all().map((member) => member.stop()));
    await Promise.all(nats.map((node) => node.kill()));
    remove();
  };
  try {
    await Promise.all(nats.map((node) => node.start()));
    for (const program of programs) {
      const user = { VOXBUS_NATS_USER: program, VOXBUS_NATS_PASSWORD: passwords[passwordVariable({ user: program })]! };
      const env = { ...shared, ...user };
      members.set(program, [await createMember(program, 1, env), await createMember(program, 2, env)]);
    }
    await Promise.all(all().map((member) => member.start(release)));
    const addresses = (program: ProgramName) => members.get(program)!.map(({ address }) => address);
    const place = { folder: join(folder, "nginx"), port, prefix: "", certificate };
    mkdirSync(place.folder);
    nginx = await startProxy("nginx", {
      ...place,
      gateways: addresses("gateway"),
      monitors: addresses("monitor"),
    });
    const streams = ["TURNS", "gateways", "presence", "probes"] as const;
    bus = await connectBus({ ...access, VOXBUS_NATS_REPLICAS: 3, ...operator, name: cliUser, streams }, silentLog);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    nats,
    nginx,
    bus,
    urls: [shared.VOXBUS_PUBLIC_URL],
    admit: createAdmission(`https://localhost:${port}/`, {
      ca: readFileSync(certificate.cert, "utf8"),
      token: shared.VOXBUS_MONITOR_TOKEN,
    }),
    members: (program) => (program === undefined ? all() : (members.get(program) ?? [])),
    async voxbus(...args) {
      const env = { ...process.env, ...access, ...operator };
      const main = `${release.folder}/apps/cli/dist/main.js`;
      return (await promisify(execFile)(process.execPath, [main, ...args], { env })).stdout;
    },
    folder,
    output: () => [...all(), ...nats].map((part) => part.output()).join(""),
    close,
  };
}

/** nats-server takes a password of digits for a number, so it begins with a letter. */
function makeSecret(): string {
  return `s${randomBytes(12).toString("hex")}`;
}

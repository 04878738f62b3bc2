import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findFreePort, type CertificateFiles } from "@voxbus/testing";
import { root } from "../docs/markdown.ts";
import { replaceIn } from "../suites/replace-in.ts";

/** One of three servers of NATS. */
export interface NatsNode {
  readonly name: string;
  readonly url: string;
  /** Starts it. Resolves when all of its copies are up to date. */
  start(): Promise<void>;
  /** Ends it as Kubernetes does: clients move to the others first. */
  drain(): Promise<void>;
  /** Ends it at once. */
  kill(): Promise<void>;
  /** Removes its data. It must have ended. */
  wipe(): void;
  output(): string;
}

/** Options that the servers of a cluster share. */
export interface NatsOptions {
  /** The settings in deploy/nats: with TLS and users, or without both. */
  readonly settings: "secure.conf" | "cluster.conf";
  readonly folder: string;
  readonly certificate: CertificateFiles;
  /** The passwords of deploy/nats/accounts.conf by their variables. */
  readonly passwords: Readonly<Record<string, string>>;
}

interface Ports {
  readonly client: number;
  readonly route: number;
  readonly monitoring: number;
}

/** Prepares three servers on free ports. None of them runs yet. */
export async function prepareNatsNodes(options: NatsOptions): Promise<readonly NatsNode[]> {
  const ports: Ports[] = [];
  for (let at = 0; at < 3; at += 1) {
    const [client, route, monitoring] = [await findFreePort(), await findFreePort(), await findFreePort()];
    ports.push({ client, route, monitoring });
  }
  const routes = `[${ports.map(({ route }) => `nats://localhost:${route}`).join(", ")}]`;
  return ports.map((own, at) => new Node(`nats-${at}`, own, { ...options, routes }));
}

class Node implements NatsNode {
  readonly name: string;
  readonly url: string;
  readonly #ports: Ports;
  readonly #store: string;
  readonly #settings: string;
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  #output = "";

  constructor(name: string, ports: Ports, options: NatsOptions & { readonly routes: string }) {
    const { settings, folder, passwords, routes } = options;
    this.name = name;
    this.url = `${settings === "secure.conf" ? "tls" : "nats"}://localhost:${ports.client}`;
    this.#ports = ports;
    this.#store = join(folder, name);
    this.#settings = join(folder, `${name}.conf`);
    this.#env = { ...process.env, ...passwords, NATS_NAME: name, NATS_ROUTES: routes };
    writeFileSync(this.#settings, writeSettings(options, ports, this.#store));
    // nats-server resolves an include from the folder of its settings.
    for (const file of ["accounts.conf", "voxbus.conf"]) {
      writeFileSync(join(folder, file), readFileSync(`${root}deploy/nats/${file}`));
    }
    mkdirSync(this.#store, { recursive: true });
  }

  async start(): Promise<void> {
    const binary = process.env["VOXBUS_NATS_SERVER"] ?? "nats-server";
    const child = spawn(binary, ["-c", this.#settings], { env: this.#env, stdio: ["ignore", "ignore", "pipe"] });
    this.#child = child;
    const endWithUs = () => void child.kill("SIGKILL");
    process.once("exit", endWithUs);
    child.once("exit", () => process.off("exit", endWithUs));
    child.stderr.on("data", (text: Buffer) => (this.#output += text.toString()));
    await once(child, "spawn");
    while (!(await this.#isHealthy())) {
      if (child.exitCode !== null) throw new Error(`${this.name} ended:\n${this.#output}`);
      await sleep(200);
    }
  }

  /** Asks what the startup probe of deploy/kubernetes asks. */
  async #isHealthy(): Promise<boolean> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.#ports.monitoring}/healthz`);
      return answer.ok;
    } catch {
      return false; // it does not listen yet
    }
  }

  async drain(): Promise<void> {
    // What `nats-server --signal ldm` sends.
    await this.#end("SIGUSR2");
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  wipe(): void {
    rmSync(this.#store, { recursive: true, force: true });
    mkdirSync(this.#store);
  }

  output(): string {
    return this.#output;
  }
}

/** Writes settings of deploy/nats with the ports, the store and the certificate of this machine. */
function writeSettings({ settings, certificate }: NatsOptions, ports: Ports, store: string): string {
  const files = [
    ["/etc/nats-tls/tls.crt", certificate.cert],
    ["/etc/nats-tls/tls.key", certificate.key],
    ["/etc/nats-tls/ca.crt", certificate.cert],
  ] as const;
  return replaceIn(readFileSync(`${root}deploy/nats/${settings}`, "utf8"), [
    ['listen: "0.0.0.0:4222"', `listen: "127.0.0.1:${ports.client}"`],
    ['listen: "0.0.0.0:6222"', `listen: "127.0.0.1:${ports.route}"`],
    ['http: "0.0.0.0:8222"', `http: "127.0.0.1:${ports.monitoring}"`],
    ['store_dir: "/data"', `store_dir: ${JSON.stringify(store)}`],
    ...(settings === "secure.conf" ? files : []),
  ]);
}

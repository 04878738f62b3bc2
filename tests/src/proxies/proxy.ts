import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { CertificateFiles } from "@voxbus/testing";
import { findDebianCommand } from "../suites/debian-tree.ts";
import { replaceIn } from "../suites/replace-in.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const startMs = 10_000;

/** The proxies that deploy/ has a configuration for. */
export type ProxyName = "nginx" | "caddy";

const folderOf = { nginx: "usr/sbin", caddy: "usr/bin" } as const;
const versionOf = { nginx: "-v", caddy: "version" } as const;

/** The proxy's place: its port and certificate, the path before everything, and the addresses of the programs behind it. */
export interface ProxyPlace {
  readonly folder: string;
  readonly port: number;
  /** Empty, or as in `/voxbus`. */
  readonly prefix: string;
  readonly certificate: CertificateFiles;
  readonly gateways: readonly string[];
  readonly monitors: readonly string[];
}

/** A running proxy. */
export interface Proxy {
  /** Makes nginx read its configuration again: new processes take over, and open connections stay with the old ones. */
  reload(): void;
  stop(): Promise<void>;
}

/** Finds a proxy on this machine, or unpacks Debian's package into the cache. Rejects if neither is possible. */
export function findProxy(name: ProxyName): Promise<string> {
  return findDebianCommand({ name, version: [versionOf[name]], folder: folderOf[name] });
}

/** The lines of nginx's configuration that name a program, for as many processes as there are. */
const linesOf = (port: number, addresses: readonly string[]) =>
  [
    `    server 127.0.0.1:${port} max_fails=0;\n`,
    addresses.map((address) => `    server ${new URL(address).host} max_fails=0;\n`).join(""),
  ] as const;

/** Writes deploy/nginx/voxbus.conf with the changes that its comments describe, and gives nginx's arguments. */
function configureNginx(place: ProxyPlace): readonly string[] {
  const { folder, port, prefix, certificate } = place;
  const site = replaceIn(readFileSync(`${root}deploy/nginx/voxbus.conf`, "utf8"), [
    ["listen 443 ssl;", `listen 127.0.0.1:${port} ssl;`],
    ["    listen [::]:443 ssl;\n", ""],
    ["server_name voice.example;", "server_name localhost;"],
    ["/etc/letsencrypt/live/voice.example/fullchain.pem", certificate.cert],
    ["/etc/letsencrypt/live/voice.example/privkey.pem", certificate.key],
    ["location /", `location ${prefix}/`],
    linesOf(8000, place.gateways),
    linesOf(8080, place.monitors),
  ]);
  writeFileSync(join(folder, "voxbus.conf"), site);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder};`);
  return writeNginxConf(folder, `http { access_log off; ${temporary.join(" ")} include ${folder}/voxbus.conf; }`);
}

/** Writes the frame that Debian's /etc/nginx/nginx.conf has, around `content`, and gives nginx's arguments. */
export function writeNginxConf(folder: string, content: string): readonly string[] {
  const user = process.getuid?.() === 0 ? "user root; " : "";
  const conf = join(folder, "nginx.conf");
  writeFileSync(conf, `${user}daemon off; pid ${folder}/pid; error_log stderr;\n${content}\nevents {}\n`);
  return ["-p", folder, "-e", "stderr", "-c", conf];
}

/** Writes deploy/caddy/Caddyfile with the changes that its comments describe, and gives Caddy's arguments. */
function configureCaddy(place: ProxyPlace): readonly string[] {
  const { folder, port, prefix, certificate, gateways, monitors } = place;
  const under = [
    ["# redir /voxbus", "redir /voxbus"],
    ["# uri strip_prefix", "uri strip_prefix"],
  ] as const;
  const site = replaceIn(readFileSync(`${root}deploy/caddy/Caddyfile`, "utf8"), [
    ["\nvoice.example {", `\nlocalhost:${port} {\n\tbind 127.0.0.1\n\ttls ${certificate.cert} ${certificate.key}`],
    ...(prefix === "" ? [] : under),
    ["127.0.0.1:8000", gateways.map((address) => new URL(address).host).join(" ")],
    ["127.0.0.1:8080", monitors.map((address) => new URL(address).host).join(" ")],
  ]);
  // Without these, Caddy would open port 80 and write into the home directory.
  writeFileSync(join(folder, "Caddyfile"), `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${site}`);
  return ["run", "--adapter", "caddyfile", "--config", join(folder, "Caddyfile")];
}

/** Starts a proxy with its configuration of deploy/, as `runProxy` does. */
export async function startProxy(name: ProxyName, place: ProxyPlace): Promise<Proxy> {
  mkdirSync(place.folder, { recursive: true });
  const args = name === "nginx" ? configureNginx(place) : configureCaddy(place);
  return runProxy(name, { command: await findProxy(name), args, ...place });
}

/** Runs a proxy, and resolves when its port is open. It ends with this process. Rejects with its output if it does not start. */
export async function runProxy(
  name: ProxyName,
  { command, args, folder, port }: Pick<ProxyPlace, "folder" | "port"> & { command: string; args: readonly string[] },
): Promise<Proxy> {
  const child = spawn(command, args, {
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let output = "";
  child.stderr.on("data", (text: Buffer) => (output += text.toString()));
  const ended = once(child, "exit");
  // SIGTERM ends the workers of nginx too.
  const end = () => void child.kill(name === "nginx" ? "SIGTERM" : "SIGKILL");
  process.once("exit", end);
  const stop = async () => {
    process.off("exit", end);
    end();
    await ended;
  };
  for (const deadline = performance.now() + startMs; ; await sleep(20)) {
    if (await isOpen(port)) return { stop, reload: () => void child.kill("SIGHUP") };
    if (child.exitCode !== null || performance.now() > deadline) {
      await stop();
      throw new Error(`${name} did not start:\n${output}`);
    }
  }
}

/** Tells whether something listens on a port of this machine. */
export async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

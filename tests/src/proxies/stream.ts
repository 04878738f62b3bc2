import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../docs/markdown.ts";
import { unpackDebianProgram } from "../suites/debian-tree.ts";
import { replaceIn } from "../suites/replace-in.ts";
import { runProxy, writeNginxConf, type Proxy, type ProxyPlace } from "./proxy.ts";

const binary = "usr/sbin/nginx";
const modulePath = "usr/lib/nginx/modules/ngx_stream_module.so";

/** Place of nginx for MQTT and UDP: its ports, and those of the gateways behind it. */
interface StreamPlace extends Pick<ProxyPlace, "folder" | "port" | "certificate"> {
  readonly gateways: readonly { readonly mqtt: number; readonly udp: number; readonly proxyUdp: number }[];
}

/** Finds nginx with its module stream here, or unpacks Debian's packages. Gives the root of both. Rejects without either. */
export async function findStreamNginx(): Promise<string> {
  if ([binary, modulePath].every((path) => existsSync(`/${path}`))) return "/";
  const cached = `${root}.cache/nginx-stream`;
  const probe = (tree: string) => ({ command: [join(tree, binary), "-v"] });
  if (!existsSync(cached)) await unpackDebianProgram({ cached, packages: ["nginx", "libnginx-mod-stream"], probe });
  return cached;
}

/** Starts nginx with deploy/nginx/voxbus-stream.conf and the changes that its comments describe. */
export async function startStream({ folder, port, certificate, gateways }: StreamPlace): Promise<Proxy> {
  const tree = await findStreamNginx();
  mkdirSync(folder, { recursive: true });
  const given = readFileSync(`${root}deploy/nginx/voxbus-stream.conf`, "utf8");
  const [server = ""] = /^ {4}server \{\n[^}]*udp[^]*?^ {4}\}\n/m.exec(given) ?? [];
  const servers = gateways.map(({ udp, proxyUdp }) =>
    replaceIn(server, [
      ["listen 8884 udp", `listen 127.0.0.1:${proxyUdp} udp`],
      ["127.0.0.1:8885", `127.0.0.1:${udp}`],
    ]),
  );
  const conf = replaceIn(given, [
    [server, servers.join("\n")],
    ["listen 8883 ssl;", `listen 127.0.0.1:${port} ssl;`],
    ["        listen [::]:8883 ssl;\n", ""],
    ["/etc/letsencrypt/live/voice.example/fullchain.pem", certificate.cert],
    ["/etc/letsencrypt/live/voice.example/privkey.pem", certificate.key],
    [
      "        server 127.0.0.1:1883 max_fails=0;\n",
      gateways.map(({ mqtt }) => `        server 127.0.0.1:${mqtt} max_fails=0;\n`).join(""),
    ],
  ]);
  writeFileSync(join(folder, "voxbus-stream.conf"), conf);
  const content = `worker_processes 2; load_module ${join(tree, modulePath)}; include ${folder}/voxbus-stream.conf;`;
  return runProxy("nginx", { command: join(tree, binary), args: writeNginxConf(folder, content), folder, port });
}

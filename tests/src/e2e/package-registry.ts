import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, existsSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

interface Manifest {
  readonly name: string;
  readonly version: string;
}

/** An npm registry on a free port of 127.0.0.1. */
export interface PackageRegistry {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves the packages in a folder `node_modules` as a registry, nested ones included, so that npm can install what they
 * need elsewhere without a network. Packages that are linked into the folder are left out.
 */
export async function startPackageRegistry(modules: string): Promise<PackageRegistry> {
  const packages = new Map<string, { readonly manifest: Manifest; readonly folder: string }[]>();
  for (const folder of listFolders(modules)) {
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
    packages.set(manifest.name, [...(packages.get(manifest.name) ?? []), { manifest, folder }]);
  }

  const sendManifests = (response: ServerResponse, name: string) => {
    const found = packages.get(name) ?? [];
    const versions = found.map(({ manifest }) => {
      const tarball = `${url}/${encodeURIComponent(name)}/${manifest.version}.tgz`;
      return [manifest.version, { ...manifest, dist: { tarball } }] as const;
    });
    const latest = found[0]?.manifest.version;
    response.writeHead(found.length > 0 ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify({ name, "dist-tags": { latest }, versions: Object.fromEntries(versions) }));
  };
  const sendTarball = (response: ServerResponse, name: string, version: string) => {
    const found = packages.get(name)?.find(({ manifest }) => manifest.version === version);
    if (found === undefined) {
      response.writeHead(404).end();
      return;
    }
    spawn("tar", ["-cf", "-", "--exclude=./node_modules", "--exclude=*.map", "-C", found.folder, "."]).stdout.pipe(
      response,
    );
  };
  const server = createServer(({ url: path = "/" }, response) => {
    const [name = "", tarball] = path
      .slice(1)
      .split("?")[0]!
      .split(/\/(?=[^/]+\.tgz$)/);
    if (tarball === undefined) sendManifests(response, decodeURIComponent(name));
    else sendTarball(response, decodeURIComponent(name), tarball.replace(/\.tgz$/, ""));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Lists the folders of the packages in a folder `node_modules`. */
function listFolders(modules: string): readonly string[] {
  if (!existsSync(modules)) return [];
  return readdirSync(modules, { withFileTypes: true }).flatMap((entry) => {
    const folder = join(modules, entry.name);
    if (!entry.isDirectory() || entry.name.startsWith(".")) return [];
    if (entry.name.startsWith("@")) return listFolders(folder);
    const own = existsSync(join(folder, "package.json")) ? [folder] : [];
    return [...own, ...listFolders(join(folder, "node_modules"))];
  });
}

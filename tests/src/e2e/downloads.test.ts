import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

interface Source {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
}

const load = async (name: string): Promise<unknown> =>
  import(new URL(`../../../deploy/local/${name}`, import.meta.url).href);
const { parseSourcesList, parseDeb822Sources, pickDebianMirrors } = (await load("debian.mjs")) as {
  parseSourcesList: (text: string) => Source[];
  parseDeb822Sources: (text: string) => Source[];
  pickDebianMirrors: (sources: readonly Source[], os: { id?: string; codename?: string }) => string[];
};
const { isNewEnough } = (await load("nats-server.mjs")) as { isNewEnough: (text: string) => boolean };
const { nameRelease, unpackRelease } = (await load("release.mjs")) as {
  nameRelease: (platform: string, architecture: string) => { archive: string; checksum: string };
  unpackRelease: (release: { base: string; archive: string; checksum: string; directory: string }) => Promise<string>;
};

let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "voxbus-downloads-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

test("nats-server: 2.11 and newer are accepted in every version format", () => {
  for (const version of ["nats-server: v2.11.0", "nats-server: v2.15.1", "nats-server: v2.12.0-RC.3", "v3.0.0"]) {
    expect(isNewEnough(version), version).toBe(true);
  }
  for (const version of ["nats-server: v2.9.10", "nats-server: v2.10.29", "v1.99.0", "", "no version"]) {
    expect(isNewEnough(version), version).toBe(false);
  }
});

test("apt's sources: one-line files give their binary sources without options and comments", () => {
  const text = `# deb http://commented.example/debian bookworm main
deb http://mirror.example/debian bookworm main contrib # the usual
deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg] https://mirror.example/debian/ bookworm-updates main
deb-src http://mirror.example/debian bookworm main
deb cdrom:[Debian 12]/ bookworm main
`;
  expect(parseSourcesList(text)).toEqual([
    { uri: "http://mirror.example/debian", suite: "bookworm", components: ["main", "contrib"] },
    { uri: "https://mirror.example/debian/", suite: "bookworm-updates", components: ["main"] },
  ]);
});

test("apt's sources: deb822 files give all enabled pairs of mirror and suite", () => {
  const text = `Types: deb deb-src
# a comment within
URIs: http://one.example/debian
 http://two.example/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb-src
URIs: http://sources.example/debian
Suites: trixie
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
`;
  expect(parseDeb822Sources(text).map((one) => `${one.uri} ${one.suite}`)).toEqual([
    "http://one.example/debian trixie",
    "http://one.example/debian trixie-updates",
    "http://two.example/debian trixie",
    "http://two.example/debian trixie-updates",
  ]);
});

test("apt's sources: on Debian its mirror comes first; on Ubuntu there is no Debian mirror", () => {
  const debian = parseSourcesList(`deb http://vendor.example/tools bookworm main
deb http://cache.example/mirrors/debian/ bookworm main
deb http://cache.example/mirrors/debian bookworm-updates main
deb http://other.example/repository stable nightly
`);
  expect(pickDebianMirrors(debian, { id: "debian", codename: "bookworm" })).toEqual([
    "http://cache.example/mirrors/debian",
    "http://vendor.example/tools",
  ]);
  const ubuntu = parseSourcesList("deb http://mirror.example/ubuntu noble main universe\n");
  expect(pickDebianMirrors(ubuntu, { id: "ubuntu", codename: "noble" })).toEqual([]);
});

test("official release: an archive is used only if it has the checksum that stands in the launcher", async () => {
  const archive = "nats-server-v9.9.9-linux-amd64.tar.gz";
  const inside = join(directory, "nats-server-v9.9.9-linux-amd64");
  mkdirSync(inside);
  writeFileSync(join(inside, "nats-server"), "#!/bin/sh\necho nats-server: v9.9.9\n", { mode: 0o755 });
  execFileSync("tar", ["-czf", join(directory, archive), "-C", directory, "nats-server-v9.9.9-linux-amd64"]);
  const bytes = readFileSync(join(directory, archive));
  const right = createHash("sha256").update(bytes).digest("hex");
  const server = createServer((request, response) => {
    if (request.url === `/${archive}`) response.end(bytes);
    else response.writeHead(404).end();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const into = join(directory, "into");
  mkdirSync(into);
  try {
    const release = { base, archive, checksum: right, directory: into };
    const path = await unpackRelease(release);
    expect(execFileSync(path, { encoding: "utf8" })).toBe("nats-server: v9.9.9\n");
    await expect(unpackRelease({ ...release, checksum: "0".repeat(64) })).rejects.toThrow("expected checksum");
    await expect(unpackRelease({ ...release, base: `${base}/gone` })).rejects.toThrow("status 404");
    for (const [platform, architecture] of [
      ["linux", "x64"],
      ["linux", "arm64"],
      ["darwin", "arm64"],
    ] as const) {
      expect(nameRelease(platform, architecture).checksum).toMatch(/^[0-9a-f]{64}$/);
    }
    expect(() => nameRelease("freebsd", "x64")).toThrow("no checksum");
  } finally {
    server.close();
  }
});

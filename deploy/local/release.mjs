import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./progress.mjs";

const version = "2.15.0";
const officialReleases = `https://github.com/nats-io/nats-server/releases/download/v${version}`;

/**
 * The SHA-256 checksums of the archives of `version`, by platform and Node's name of the architecture. They stand here
 * because a list beside the archives would come from the same place as a forged archive. Those for Linux are also in the
 * Dockerfiles that the NATS maintainers publish (nats-io/nats-docker).
 */
const releases = {
  "linux-x64": ["amd64", "5d2c51caca950333aba84911df7d377f826f3a59ec36061c6539105084f65c92"],
  "linux-arm64": ["arm64", "cdc208f5a3f42963a52b6ab06ef65626bb870315dc936e26ba571780c6351112"],
  "linux-arm": ["arm7", "ec5f4689d017e07cfa18442e10da051c0f3f9dd2e7f4dc7cdb55a11f1303c952"],
  "linux-ia32": ["386", "f572eccdbb35ab5c7fef7703a5b6ca49e55d039e441920ba5478972ecdcf7a47"],
  "linux-s390x": ["s390x", "ac50bf4adc8fa6db575ed9293417b6fbec746e71cc9d360aea5cd447e4207bfc"],
  "linux-ppc64": ["ppc64le", "a402bf73f91f674735cc85aa0e7d06d5dfa3044b98cda6ea9937cfee4e05a266"],
  "darwin-x64": ["amd64", "5bd8b59ca5bf93fab3da2c5843cf564cd6e2e291e22ae3b861746e7ebe259b95"],
  "darwin-arm64": ["arm64", "e1c4e22d70bd44abfa0bcb3c16f7cf0c66f648c2e728c58924e8a1ce88913cc8"],
};

/** Names the official nats-server release for this machine: its base URL, its archive and the archive's checksum. */
export function nameRelease(platform = process.platform, architecture = process.arch) {
  const release = releases[`${platform}-${architecture}`];
  if (release === undefined) {
    throw new Error(`no checksum of an official nats-server release is known for ${platform} on ${architecture}`);
  }
  const [built, checksum] = release;
  return { base: officialReleases, archive: `nats-server-v${version}-${platform}-${built}.tar.gz`, checksum };
}

/**
 * Downloads a release, unpacks it into `directory`, and resolves with the path of its nats-server. Throws if the archive
 * does not have the checksum.
 */
export async function unpackRelease({ base, archive, checksum, directory }) {
  const bytes = await download(`${base}/${archive}`, 300_000);
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== checksum) throw new Error(`${archive}: expected checksum ${checksum}, got ${found}`);
  writeFileSync(join(directory, archive), bytes);
  await runCommand("tar", ["-xzf", archive, "--strip-components=1"], { cwd: directory });
  return join(directory, "nats-server");
}

async function download(url, timeout) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeout) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw new Error(`cannot download ${url}: ${cause.cause?.message ?? cause.message}`, { cause });
  }
}

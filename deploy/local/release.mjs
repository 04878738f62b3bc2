import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./progress.mjs";

const version = "2.15.1";
const officialReleases = `https://github.com/nats-io/nats-server/releases/download/v${version}`;
const architectures = { x64: "amd64", arm64: "arm64", arm: "arm7", ia32: "386", s390x: "s390x", ppc64: "ppc64le" };

/** Names the official nats-server release for this machine: its base URL and its archive. */
export function nameRelease(platform = process.platform, architecture = process.arch) {
  const built = architectures[architecture];
  if (built === undefined || !["linux", "darwin", "freebsd"].includes(platform)) {
    throw new Error(`no official nats-server release for ${platform} on ${architecture}`);
  }
  return { base: officialReleases, archive: `nats-server-v${version}-${platform}-${built}.tar.gz` };
}

/**
 * Downloads a release, unpacks it into `directory`, and resolves with the path of its nats-server. Throws if the
 * archive does not match the release's SHA256SUMS.
 */
export async function unpackRelease({ base, archive, directory }) {
  const sums = new TextDecoder().decode(await download(`${base}/SHA256SUMS`, 15_000));
  const expected = findChecksum(sums, archive);
  const bytes = await download(`${base}/${archive}`, 300_000);
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== expected) throw new Error(`${archive}: expected checksum ${expected}, got ${found}`);
  writeFileSync(join(directory, archive), bytes);
  await runCommand("tar", ["-xzf", archive, "--strip-components=1"], { cwd: directory });
  return join(directory, "nats-server");
}

/** Finds the checksum of one file in the text of a SHA256SUMS. Throws if the file is not listed. */
export function findChecksum(sums, name) {
  for (const line of sums.split("\n")) {
    const [checksum, file] = line.trim().split(/\s+\*?/);
    if (file === name && /^[0-9a-f]{64}$/i.test(checksum)) return checksum.toLowerCase();
  }
  throw new Error(`SHA256SUMS does not list ${name}`);
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

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./progress.mjs";

const version = "2.15.1";
const officialReleases = `https://github.com/nats-io/nats-server/releases/download/v${version}`;
const architectures = { x64: "amd64", arm64: "arm64", arm: "arm7", ia32: "386", s390x: "s390x", ppc64: "ppc64le" };

/** The official nats-server release for this machine: where it is and what its archive is called. */
export function nameRelease(platform = process.platform, architecture = process.arch) {
  const built = architectures[architecture];
  if (built === undefined || !["linux", "darwin", "freebsd"].includes(platform)) {
    throw new Error(`there is no official nats-server release for ${platform} on ${architecture}`);
  }
  return { base: officialReleases, archive: `nats-server-v${version}-${platform}-${built}.tar.gz` };
}

/**
 * Downloads a release and unpacks it into `directory`; resolves with the path of its nats-server. Throws when the
 * archive is not the one that the release's SHA256SUMS names.
 */
export async function unpackRelease({ base, archive, directory }) {
  const sums = new TextDecoder().decode(await download(`${base}/SHA256SUMS`, 15_000));
  const expected = findChecksum(sums, archive);
  const bytes = await download(`${base}/${archive}`, 300_000);
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== expected) throw new Error(`${archive} has the checksum ${found}, but its release says ${expected}`);
  writeFileSync(join(directory, archive), bytes);
  await runCommand("tar", ["-xzf", archive, "--strip-components=1"], { cwd: directory });
  return join(directory, "nats-server");
}

/** The checksum of one file in the text of a SHA256SUMS; throws when it is not listed. */
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
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw new Error(`${url} cannot be downloaded: ${cause.cause?.message ?? cause.message}`, { cause });
  }
}

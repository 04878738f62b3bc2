import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./progress.mjs";

const keyrings = ["debian-archive-keyring.gpg", "debian-archive-keyring.pgp"].map(
  (name) => `/usr/share/keyrings/${name}`,
);

/** Reads the binary sources from an apt sources file in one-line style (sources.list(5)). */
export function parseSourcesList(text) {
  return text.split("\n").flatMap((line) => {
    const found = /^\s*deb\s+(?:\[[^\]]*\]\s*)?([^\s[]\S*)\s+(\S+)([^#]*)/.exec(line);
    if (found === null || found[1].startsWith("cdrom:")) return [];
    return [{ uri: found[1], suite: found[2], components: found[3].split(/\s+/).filter(Boolean) }];
  });
}

/** Reads the enabled binary sources from an apt sources file in deb822 style (sources.list(5)). */
export function parseDeb822Sources(text) {
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  return lines
    .join("\n")
    .split(/\n\s*\n/)
    .flatMap((stanza) => {
      const unfolded = stanza.replaceAll(/\n[ \t]+/g, " ");
      const field = (name) =>
        (new RegExp(`^${name}:(.*)$`, "im").exec(unfolded)?.[1] ?? "").split(/\s+/).filter(Boolean);
      if (!field("Types").includes("deb") || /^(no|false|without|off|disable)$/i.test(field("Enabled")[0] ?? "")) {
        return [];
      }
      const components = field("Components");
      return field("URIs").flatMap((uri) => field("Suites").map((suite) => ({ uri, suite, components })));
    });
}

/**
 * Picks the mirrors of Debian's archive from apt's sources, the likeliest first. Packages are accepted only with a
 * signature by Debian's keyring.
 */
export function pickDebianMirrors(sources, { id, codename }) {
  const named = (uri) => /\/debian\/?$/.test(uri);
  const mirrors = sources
    .filter((source) => source.components.includes("main"))
    .filter((source) => named(source.uri) || (id === "debian" && source.suite === codename))
    .map((source) => source.uri.replace(/\/$/, ""))
    .toSorted((a, b) => Number(named(b)) - Number(named(a)));
  return [...new Set(mirrors)];
}

/** Finds the mirrors of Debian's archive in this machine's apt configuration. */
export function findDebianMirrors(etc = "/etc/apt", osRelease = "/etc/os-release") {
  const read = (path) => (existsSync(path) ? readFileSync(path, "utf8") : "");
  const parts = join(etc, "sources.list.d");
  const names = existsSync(parts) ? readdirSync(parts) : [];
  const sources = [
    ...parseSourcesList(read(join(etc, "sources.list"))),
    ...names.filter((name) => name.endsWith(".list")).flatMap((name) => parseSourcesList(read(join(parts, name)))),
    ...names.filter((name) => name.endsWith(".sources")).flatMap((name) => parseDeb822Sources(read(join(parts, name)))),
  ];
  const os = read(osRelease);
  const value = (key) => new RegExp(`^${key}="?([^"\n]*)`, "m").exec(os)?.[1];
  return pickDebianMirrors(sources, { id: value("ID"), codename: value("VERSION_CODENAME") });
}

/** Finds Debian's archive keyring on this machine. Returns undefined if it is not installed. */
export function findDebianKeyring() {
  return keyrings.find((path) => existsSync(path));
}

/**
 * Downloads Debian packages into `directory` and unpacks them into `directory`/root. apt checks the signatures. It runs
 * with a private configuration, reads only the system's mirror and proxy settings, and changes nothing in the system.
 */
export async function unpackDebianPackages({ names, mirror, suite, keyring, directory }) {
  mkdirSync(join(directory, "state/lists/partial"), { recursive: true });
  mkdirSync(join(directory, "cache/archives/partial"), { recursive: true });
  const at = (path) => JSON.stringify(join(directory, path));
  writeFileSync(join(directory, "status"), "");
  writeFileSync(
    join(directory, "sources.list"),
    `deb [signed-by=${keyring} target=Packages] ${mirror} ${suite} main\n`,
  );
  const settings = join(directory, "apt.conf");
  // The system's hooks are cleared because they act on the system's own caches.
  writeFileSync(
    settings,
    `#clear APT::Update;
#clear DPkg;
#clear Dir::Cache;
Dir::State ${at("state")};
Dir::State::status ${at("status")};
Dir::Cache ${at("cache")};
Dir::Cache::archives "archives/";
Dir::Etc::sourcelist ${at("sources.list")};
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "15";
Acquire::https::Timeout "15";
`,
  );
  const environment = { cwd: directory, env: { ...process.env, LC_ALL: "C" } };
  await runCommand("apt-get", ["-c", settings, "-q", "update"], environment);
  await runCommand("apt-get", ["-c", settings, "-q", "download", ...names], environment);
  const archives = readdirSync(directory).filter((file) => file.endsWith(".deb"));
  const missing = names.filter((name) => !archives.some((file) => file.startsWith(`${name}_`)));
  if (missing.length > 0) throw new Error(`no package ${missing.join(", ")} in ${suite} on ${mirror}`);
  for (const archive of archives) await runCommand("dpkg-deb", ["-x", archive, join(directory, "root")], environment);
  return join(directory, "root");
}

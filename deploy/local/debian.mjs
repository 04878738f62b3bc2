import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./progress.mjs";

const keyrings = ["debian-archive-keyring.gpg", "debian-archive-keyring.pgp"].map(
  (name) => `/usr/share/keyrings/${name}`,
);

/** Reads a one-line-style apt sources file (sources.list(5)) into its binary sources. */
export function parseSourcesList(text) {
  return text.split("\n").flatMap((line) => {
    const found = /^\s*deb\s+(?:\[[^\]]*\]\s*)?([^\s[]\S*)\s+(\S+)([^#]*)/.exec(line);
    if (found === null || found[1].startsWith("cdrom:")) return [];
    return [{ uri: found[1], suite: found[2], components: found[3].split(/\s+/).filter(Boolean) }];
  });
}

/** Reads a deb822-style apt sources file (sources.list(5)) into its enabled binary sources. */
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
 * The mirrors of Debian's archive among apt's sources, the likeliest first; none on a system whose sources are not
 * Debian's. What a mirror hands out is believed only when Debian's keyring has signed it.
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

/** The mirrors of Debian's archive that this machine's apt is configured with. */
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

/** Debian's archive keyring on this machine; undefined where it is not installed. */
export function findDebianKeyring() {
  return keyrings.find((path) => existsSync(path));
}

/**
 * Fetches a Debian package into `directory` and unpacks it into `directory`/root, with apt's own signature checks under
 * a private configuration: nothing of the system is read but its mirror and proxy settings, and nothing is changed.
 */
export async function unpackDebianPackage({ name, mirror, suite, keyring, directory }) {
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
  await runCommand("apt-get", ["-c", settings, "-q", "download", name], environment);
  const archive = readdirSync(directory).find((file) => file.endsWith(".deb"));
  if (archive === undefined) throw new Error(`${mirror} ${suite} has no package ${name}`);
  await runCommand("dpkg-deb", ["-x", archive, join(directory, "root")], environment);
  return join(directory, "root");
}

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runCommand } from "./progress.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const help = `Usage: npm run pack -- [options]

Builds a tarball of every package that is not private, ready for npm publish.

  --out FOLDER       where the tarballs go (default: dist/packages)
  --repository URL   the source repository, such as git+https://…; npm publish --provenance needs it
  --help
`;

/** Lists the packages of the workspace that may be published, with their folders and manifests. */
function listPackages() {
  const folders = ["libs", "apps"].flatMap((group) => readdirSync(join(root, group)).map((name) => join(group, name)));
  return folders
    .map((folder) => ({ folder, manifest: JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) }))
    .filter(({ manifest }) => manifest.private !== true);
}

/** True for a folder, and for a file that its source has compiled to: neither maps nor what a removed source left behind. */
function isOfSource(path, built) {
  if (statSync(path).isDirectory()) return true;
  const source = relative(built, path).replace(/(?:\.d\.ts|\.js)$/, ".ts");
  return existsSync(join(dirname(built), "src", source));
}

/**
 * Leads the links of a package's page to where they lead in the package: to the declarations of a source, and to the packages beside
 * it. The text of any other link into the repository stays.
 */
function packLinks(page, { folder, packages }) {
  return page.replaceAll(/\[([^\]]*)\]\(([^)\s]+)\)/g, (link, text, to) => {
    if (/^(?:[a-z]+:|#)/.test(to)) return link;
    const path = join(folder, to);
    if (path.startsWith(`${folder}/src/`)) return `[${text}](${to.replace(/^src\/(.*)\.ts$/, "dist/$1.d.ts")})`;
    return packages.some((one) => path.startsWith(`${one.folder}/`)) ? link : text;
  });
}

/** Copies a package as it is published: without scripts and development tools, with the license, and with its source. */
function stage({ folder, manifest }, { to, repository, packages }) {
  const { scripts: _scripts, devDependencies: _devDependencies, ...published } = manifest;
  const target = join(to, folder);
  mkdirSync(target, { recursive: true });
  const built = join(root, folder, "dist");
  cpSync(built, join(target, "dist"), { recursive: true, filter: (path) => isOfSource(path, built) });
  const page = readFileSync(join(root, folder, "README.md"), "utf8");
  writeFileSync(join(target, "README.md"), packLinks(page, { folder, packages }));
  cpSync(join(root, "LICENSE"), join(target, "LICENSE"));
  const source = repository === undefined ? {} : { repository: { type: "git", url: repository, directory: folder } };
  writeFileSync(join(target, "package.json"), `${JSON.stringify({ ...published, ...source }, null, 2)}\n`);
  return target;
}

/** Lists the tarballs of our packages in a folder. */
function listTarballs(folder) {
  return readdirSync(folder)
    .filter((name) => /^voxbus-.*\.tgz$/.test(name))
    .map((name) => join(folder, name));
}

const { values } = parseArgs({
  options: { out: { type: "string" }, repository: { type: "string" }, help: { type: "boolean" } },
});
if (values.help) process.stdout.write(help);
else await pack(values);

async function pack({ out = join(root, "dist/packages"), repository }) {
  const folder = resolve(out);
  mkdirSync(join(root, ".cache"), { recursive: true });
  const to = mkdtempSync(join(root, ".cache/pack-"));
  try {
    const packages = listPackages();
    const staged = packages.map((one) => stage(one, { to, repository, packages }));
    mkdirSync(folder, { recursive: true });
    for (const old of listTarballs(folder)) rmSync(old);
    await runCommand("npm", ["pack", "--ignore-scripts", "--pack-destination", folder, ...staged], { cwd: to });
  } finally {
    rmSync(to, { recursive: true, force: true });
  }
  for (const tarball of listTarballs(folder)) process.stdout.write(`${tarball}\n`);
}

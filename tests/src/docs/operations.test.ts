import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { engineFields, enginesFileVariable, failures } from "@voxbus/engines";
import { defaultPorts } from "@voxbus/protocol";
import { knownVariables } from "@voxbus/service";
import { beforeAll, describe, expect, it } from "vitest";
import { readName, readPage, readTable, root } from "./markdown.ts";
import { grants } from "./grants.ts";
import { passwordVariable } from "./permissions.ts";

const page = readPage("docs/operations.md");
const { nats: _nats, ...ourPrograms } = defaultPorts;
const programs = [
  ...Object.keys(ourPrograms).map((name) => `apps/${name}`),
  ...readdirSync(`${root}examples`)
    .map((name) => `examples/${name}`)
    .filter((folder) => existsSync(`${root}${folder}/package.json`)),
];
const sorted = (list: Iterable<string>) => [...new Set(list)].toSorted();

/** Reads the source files of a folder, without tests. */
function readSources(folder: string, ending: string): string[] {
  return readdirSync(root + folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending) && !entry.name.includes(".test."))
    .map((entry) => readFileSync(`${entry.parentPath}/${entry.name}`, "utf8"));
}

describe("docs/operations.md, variables", () => {
  const markers = [...page.matchAll(/<!-- (variables: .*) -->/g)].map(([, marker = ""]) => marker);
  const documented = new Map(
    markers.flatMap((marker) =>
      readTable(page, marker).map(([name, fallback = ""]) => [readName(name), fallback.replaceAll("`", "")] as const),
    ),
  );
  /** All variables that programs print, with their defaults. */
  const printed = new Map<string, string>();

  beforeAll(async () => {
    const helps = programs.map((program) =>
      promisify(execFile)(process.execPath, [`${root}${program}/dist/main.js`, "--help"]),
    );
    for (const { stdout } of await Promise.all(helps)) {
      for (const [, name = "", fallback] of stdout.matchAll(/^ {2}(VOXBUS_\w+)(?: \[(.*)\])?$/gm)) {
        printed.set(name, fallback === undefined ? "-" : String(JSON.parse(fallback)));
      }
    }
  });

  it("programs: every variable in their help is documented with its default", () => {
    const defaults = Object.fromEntries([...printed.keys()].map((name) => [name, documented.get(name)]));
    expect(defaults).toEqual(Object.fromEntries(printed));
  });

  it("documented: every variable is read by a program, the set-up or the tests", () => {
    const directories = [
      ["deploy/local", ".mjs"],
      ["libs/bus/src", ".ts"],
      ["libs/testing/src", ".ts"],
      ["deploy/nats", ".conf"],
      ["deploy/compose", ".yaml"],
    ] as const;
    const setUp = directories.flatMap(([directory, suffix]) => readSources(directory, suffix)).join("\n");
    const rest = [...documented.keys()].filter((name) => !printed.has(name));
    const passwords = grants.map((grant) => passwordVariable(grant));
    const setUpOnly = ["VOXBUS_NATS_PORT", "VOXBUS_DATA_DIR", "VOXBUS_OFFLINE", "VOXBUS_NATS_SERVER"];
    setUpOnly.push("VOXBUS_BIND", "VOXBUS_NATS_CONF");
    expect(rest).toEqual([...setUpOnly, ...passwords]);
    expect(rest.filter((name) => !setUp.includes(name))).toEqual([]);
  });

  it("set-up: every variable in its files is documented", () => {
    const named = readSources("deploy/local", ".mjs").flatMap((text) => text.match(/VOXBUS_[A-Z0-9_]*[A-Z0-9]/g) ?? []);
    expect(sorted(named).filter((name) => !documented.has(name))).toEqual([]);
  });

  it("knownVariables: it is the documented list, so that a program reports only misspelled variables", () => {
    expect([...knownVariables]).toEqual(sorted(documented.keys()));
  });

  it("other pages: they name only documented variables", () => {
    const pages = ["README.md", "docs/protocol.md", "docs/bus.md", "docs/architecture.md", "SECURITY.md"];
    const named = pages.flatMap((path) => readPage(path).match(/VOXBUS_[A-Z0-9_]*[A-Z0-9]\b(?!_)/g) ?? []);
    expect(sorted(named).filter((name) => !documented.has(name))).toEqual([]);
  });
});

describe("docs/operations.md, other tables", () => {
  it("programs: the ports are the defaults", () => {
    const rows = readTable(page, "table: programs").map(([name, , ports = ""]) => [name, ports.match(/\d+/g)]);
    const { nats, ...programs } = defaultPorts;
    const known = Object.entries({ ...programs, "nats-server": { client: nats } });
    expect(Object.fromEntries(rows)).toEqual(
      Object.fromEntries(known.map(([name, ports]) => [name, Object.values(ports).map(String)])),
    );
  });

  it("programs: each tells the version of the project", () => {
    const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { version: string };
    const names = Object.keys(defaultPorts).filter((name) => name !== "nats");
    const versions = names.map((name) => {
      const source = readFileSync(`${root}apps/${name}/src/app.ts`, "utf8");
      return [name, /version: "([^"]+)"/.exec(source)?.[1]];
    });
    expect(Object.fromEntries(versions)).toEqual(Object.fromEntries(names.map((name) => [name, version])));
  });

  it("metrics: the table has every metric of the programs and no other", () => {
    const created = [...programs, "libs/bus", "libs/engines", "libs/pools", "libs/service", "libs/subscriber"]
      .flatMap((folder) => readSources(`${folder}/src`, ".ts"))
      .flatMap((text) => [...text.matchAll(/"(voxbus_[a-z_]+)"/g)].map(([, name = ""]) => name));
    expect(sorted(readTable(page, "table: metrics").map(([name]) => readName(name)))).toEqual(sorted(created));
  });

  it("problems: names and statuses are those of the monitor", async () => {
    const monitor = (await import(`${root}apps/monitor/dist/http/problems.js`)) as {
      readonly problems: Readonly<Record<string, { readonly status: number }>>;
    };
    const documented = readTable(page, "table: problems").map(([name, status]) => `${readName(name)} ${status}`);
    const known = Object.entries(monitor.problems).map(([name, { status }]) => `${name} ${status}`);
    expect(sorted(documented)).toEqual(sorted(known));
  });

  it("engines: the tables have every field of the file and every reason of a failure, and the example is valid", () => {
    expect(sorted(readTable(page, "table: engine fields").map(([name]) => readName(name)))).toEqual(
      sorted(engineFields),
    );
    const documented = readTable(page, "table: engine failures").map(([name, , failsOver, cools]) => [
      readName(name),
      { failsOver: failsOver === "yes", cools: cools === "yes" },
    ]);
    expect(Object.fromEntries(documented)).toEqual(failures);
    const example = /```json engines\n([^]*?)```/.exec(page)?.[1] ?? "";
    const path = join(mkdtempSync(join(tmpdir(), "voxbus-")), "engines.json");
    writeFileSync(path, example);
    const { entries, usual } = enginesFileVariable("asr").parse(path)!;
    expect([entries.map(({ name }) => name), usual]).toEqual([["whisper"], ["whisper", "embedded"]]);
  });

  it("alerts: the table has every rule and no other", async () => {
    const { rules } = (await import(`${root}apps/monitor/dist/alerts/rules.js`)) as {
      readonly rules: readonly { readonly name: string }[];
    };
    expect(sorted(readTable(page, "table: alerts").map(([name]) => readName(name)))).toEqual(
      sorted(rules.map(({ name }) => name)),
    );
  });

  it("routes: the table has every route of the monitor and no other", () => {
    const source = readSources("apps/monitor/src", ".ts").join("\n");
    const routes = [...source.matchAll(/addRoute\(app, "([a-z]+)", "([^"]+)"/g)].map(
      ([, method = "", path = ""]) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`,
    );
    // Every level of profiles has the same four.
    const levels = [...source.matchAll(/ path: "(\/api\/[^"]+)"/g)].flatMap(([, path = ""]) =>
      ["GET", "PUT", "PATCH", "DELETE"].map((method) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`),
    );
    expect(routes.length).toBeGreaterThan(0);
    const documented = readTable(page, "table: routes").flatMap(([route]) => {
      const [, methods = "", path] = /^([A-Z, ]+) (.*)$/.exec(readName(route)) ?? [];
      return methods.split(", ").map((method) => `${method} ${path}`);
    });
    expect(sorted(documented)).toEqual(sorted([...routes, ...levels]));
  });
});

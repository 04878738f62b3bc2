import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { defaultPorts } from "@voxbus/protocol";
import { variablesOf, type Program } from "@voxbus/subscriber";
import { beforeAll, describe, expect, it } from "vitest";
import { loadPrograms } from "./generate.ts";
import { readPage, root } from "./markdown.ts";

const compose = readPage("deploy/compose/compose.yaml");
const variables = readPage("deploy/compose/variables.yaml");
const example = readPage("deploy/compose/.env.example");
const { nats: _nats, ...ours } = defaultPorts;

/** Reads a top-level part or a service of a Compose file: the lines that are indented further. */
function readPart(text: string, name: string): string {
  const part = new RegExp(`^( *)${name}:.*\\n((?:\\1 +.*\\n|\\n)*)`, "m").exec(text);
  if (part === null) throw new Error(`there is no ${name}`);
  return part[2] ?? "";
}

describe("compose", () => {
  let programs: readonly Program[];
  beforeAll(async () => {
    programs = await loadPrograms();
  });

  it.each(Object.keys(ours))("%s: every variable of the program reaches its container", (name) => {
    const program = programs.find((program) => program.name === name)!;
    const known = variablesOf(program).map((variable) => variable.name);
    const passed = `${readPart(variables, "x-every")}${readPart(variables, name)}`;
    const fixed = `${readPart(compose, "x-environment")}${readPart(compose, name)}`;
    const missing = known.filter(
      (variable) => !passed.includes(` ${variable}:\n`) && !fixed.includes(` ${variable}: `),
    );
    // In a container of its own a program keeps the port that is scraped and probed, and the real one is no shadow.
    const shadow = program.shadow ? ["VOXBUS_SHADOW"] : [];
    expect(missing).toEqual([...shadow, `VOXBUS_${name.toUpperCase()}_OPS_PORT`]);
    expect(readPart(compose, name)).toContain(`extends: { file: variables.yaml, service: ${name} }`);
  });

  it("variables: what compose.yaml sets can be changed, unless it is an address or a path in the container", () => {
    const set = [...compose.matchAll(/((?:VOXBUS|OTEL)_\w+): (.*)$/gm)].map(([, name = "", value = ""]) => {
      return [name, value.startsWith(`\${${name}:-`)] as const;
    });
    const fixed = set.filter(([, isOpen]) => !isOpen).map(([name]) => name);
    expect(fixed.toSorted()).toEqual([
      "VOXBUS_GATEWAY_HOST",
      "VOXBUS_MCP_FILE",
      "VOXBUS_MCP_HOST",
      "VOXBUS_MONITOR_HOST",
      "VOXBUS_OPS_HOST",
      "VOXBUS_SHADOW",
      "VOXBUS_SHADOW",
    ]);
  });

  it("shadows: each program that can be one has a container for it, with settings of its own", () => {
    const names = programs.filter(({ shadow }) => shadow !== undefined).map(({ name }) => name);
    expect([...compose.matchAll(/^ {2}(\w+)-shadow:$/gm)].map(([, name]) => name)).toEqual(names);
    for (const name of names) {
      const part = readPart(compose, `${name}-shadow`);
      expect(part).toContain(`PROGRAM: ${name}, VOXBUS_SHADOW: next }\n`);
      expect(part).not.toContain("variables.yaml");
    }
    for (const line of ["<<: *program", "profiles: [shadow]", "env_file: [{ path: shadow.env, required: false }]"])
      expect(readPart(compose, "x-shadow")).toContain(`  ${line}\n`);
  });

  it(".env.example: it has every variable that compose takes, and sets none", () => {
    const taken = [variables.match(/\bVOXBUS_\w+(?=:\n)/g), compose.match(/(?<=\$\{)VOXBUS_\w+/g)].flatMap(
      (names) => names ?? [],
    );
    expect(taken.length).toBeGreaterThan(100);
    expect([...new Set(taken)].filter((name) => !example.includes(`\n#${name}=`))).toEqual([]);
    expect(example.split("\n").filter((line) => line !== "" && !line.startsWith("#"))).toEqual([]);
  });

  it("programs: each is read-only without rights, and reaches the machine itself", () => {
    const shared = readPart(compose, "x-program");
    for (const line of ["read_only: true", "cap_drop: [ALL]", 'extra_hosts: ["host.docker.internal:host-gateway"]']) {
      expect(shared).toContain(`  ${line}\n`);
    }
    for (const name of Object.keys(ours)) expect(readPart(compose, name)).toContain("    <<: *program\n");
  });

  it("network: without VOXBUS_BIND every port is on loopback, and with it nothing is open by default", () => {
    const published = [...compose.matchAll(/^ +ports: \["(.*)"\]$/gm)].map(([, port = ""]) => port);
    expect(published.length).toBeGreaterThan(4);
    for (const port of published) expect(port).toMatch(/^(?:\$\{VOXBUS_BIND:-127\.0\.0\.1\}|127\.0\.0\.1):/);
    // The value that stands for neither must be refused by those that listen.
    expect(compose).toContain("VOXBUS_AUTH: ${VOXBUS_AUTH:-${VOXBUS_BIND:+unset, not }none}\n");
  });

  it.each(["gateway", "monitor"])(
    "%s: with VOXBUS_BIND and without VOXBUS_AUTH it names the variable",
    async (name) => {
      const env = { VOXBUS_AUTH: "unset, not none", VOXBUS_GATEWAY_HOST: "0.0.0.0", VOXBUS_MONITOR_HOST: "0.0.0.0" };
      const start = promisify(execFile)(process.execPath, [`${root}apps/${name}/dist/main.js`], {
        env,
        timeout: 20_000,
      });
      await expect(start).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("VOXBUS_AUTH") });
    },
  );

  it("cluster: the profile has three servers of NATS that know each other, and programs know all", () => {
    const names = [...compose.matchAll(/NATS_NAME: ([\w-]+)/g)].map(([, name]) => name);
    expect(names).toEqual(["nats", "nats-2", "nats-3"]);
    expect(compose).toContain(`NATS_ROUTES: "[${names.map((name) => `nats://${name}:6222`).join(", ")}]"\n`);
    expect(example).toContain(`#VOXBUS_NATS_URL=${names.map((name) => `nats://${name}:4222`).join(",")}\n`);
    for (const name of names.slice(1)) expect(readPart(compose, name!)).toContain("profiles: [cluster]\n");
  });
});

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { leave, openTestDevice } from "@voxbus/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { findKubectl } from "../deploy/manifests.ts";
import { readPage, root } from "../docs/markdown.ts";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 });

/** A block of commands of docs/run.md, with its mark: where it runs, or why it does not. */
interface Block {
  readonly mark: string;
  readonly commands: string;
}

const page = readPage("docs/run.md");
const blocks = [...page.matchAll(/(?:^<!-- (.+) -->\n\n)?^```sh\n([^]*?)^```$/gm)].map(
  ([, mark = "no mark", commands = ""]): Block => ({ mark, commands: commands.replaceAll("\\\n", " ") }),
);
const commandsOf = (mark: string) =>
  blocks.flatMap((block) => (block.mark === `run: ${mark}` ? block.commands.trim().split("\n") : []));
const folder = mkdtempSync(join(tmpdir(), "voxbus-run-"));
let system: LaunchedSystem;
let kubectl = "";

beforeAll(async () => {
  kubectl = await findKubectl().catch(() => "");
  // What `npm start` of the page runs, after its set-up, which other tests run.
  system = await launchSystem({ env: { VOXBUS_LOG_FORMAT: "json" } });
});
afterAll(async () => {
  await system?.close();
  rmSync(folder, { recursive: true });
});

/** Gives the address of a program's operations port, from its line `ready`. */
function findOps(program: string): string {
  const line = new RegExp(`\\{.*"name":"${program}".*"msg":"ready".*\\}`).exec(system.output())?.[0] ?? "{}";
  return new URL((JSON.parse(line) as { readonly ops: string }).ops).host;
}

/** Puts the addresses of the running system in the place of the default ones. */
async function address(command: string): Promise<string> {
  const monitor = new URL(system.monitor).host;
  const answer = await fetch(`http://${monitor}/api/gateways`);
  const { gateways } = (await answer.json()) as { readonly gateways: readonly { readonly id: string }[] };
  return command
    .replace("127.0.0.1:8080", monitor)
    .replace("127.0.0.1:9100", findOps("gateway"))
    .replace("127.0.0.1:9102", findOps("tts"))
    .replace("GATEWAY", gateways[0]?.id ?? "")
    .replace("night.backup", join(folder, "night.backup"));
}

function run(command: string, env: Readonly<Record<string, string>> = {}, cwd = root) {
  return promisify(execFile)("sh", ["-ec", command], { cwd, env: { ...process.env, ...env }, maxBuffer: 1e7 });
}

describe("docs/run.md", () => {
  test("blocks: each is run here, or says why not", () => {
    expect(blocks.length).toBeGreaterThan(10);
    const marks = /^(?:run: (?:start|system|render|certificate)|not run: .{10,})$/;
    expect(blocks.filter(({ mark }) => !marks.test(mark))).toEqual([]);
    expect(commandsOf("start")).toEqual(["npm start"]);
  });

  test("certificate: the command makes one for the three servers of NATS", async () => {
    await run(commandsOf("certificate").join("\n"), {}, folder);
    const { stdout } = await run("openssl x509 -noout -text -in tls.crt", {}, folder);
    const url = /VOXBUS_NATS_URL: (.*)/.exec(readPage("deploy/kubernetes/overlays/production/addresses.yaml"))?.[1];
    for (const server of url?.split(",") ?? ["none"]) expect(stdout).toContain(`DNS:${new URL(server).hostname}`);
  });

  test("secrets: the commands make every password that accounts.conf reads", async () => {
    const loop = /^for user in [^]*?^done > nats.env$/m.exec(page)?.[0] ?? "";
    await run(loop, {}, folder);
    const { stdout } = await run("cat nats.env", {}, folder);
    const made = stdout.trim().split("\n");
    const read = new Set(readPage("deploy/nats/accounts.conf").match(/(?<=\$)VOXBUS_NATS_\w+_PASSWORD/g));
    expect(new Set(made.map((line) => line.split("=")[0]))).toEqual(read);
    for (const line of made) expect(line).toMatch(/=[a-z][0-9a-f]{32}$/);
  });

  test("rendering: the command shows the overlay", async ({ skip }) => {
    if (kubectl === "") skip("no kubectl");
    const path = `${dirname(kubectl)}${delimiter}${process.env["PATH"]}`;
    for (const command of commandsOf("render")) {
      expect((await run(command, { PATH: path })).stdout).toContain("kind: StatefulSet");
    }
  });

  test("a running system: each command succeeds", async () => {
    const url = /nats:\/\/127\.0\.0\.1:\d+/.exec(system.output())?.[0] ?? "";
    const device = await openTestDevice(system.devices[0]!, { id: "kitchen" });
    const commands = commandsOf("system");
    expect(commands.length).toBeGreaterThan(5);
    for (const command of commands) {
      const { stdout } = await run(await address(command), { VOXBUS_NATS_URL: url });
      expect([command, stdout.trim()]).toEqual([command, expect.stringMatching(/./)]);
    }
    await leave(device);
  });
});

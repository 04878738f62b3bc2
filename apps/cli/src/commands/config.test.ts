import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runCliHere } from "../test-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "voxbus-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

const secrets = {
  VOXBUS_AUTH: "hmac",
  VOXBUS_AUTH_KEY: "a-secret-of-the-gateway",
  VOXBUS_AUTH_TOKENS: "a-secret-token-of-a-device",
  VOXBUS_LLM_KEY: "a-secret-of-the-model",
  VOXBUS_NATS_PASSWORD: "a-secret-of-nats",
  VOXBUS_NATS_USER: "gateway",
  VOXBUS_MONITOR_WEBHOOK: "https://hooks.example/a-secret-path",
  VOXBUS_MONITOR_TOKEN: "a-secret-of-the-monitor",
  VOXBUS_VISION_TOKEN: "a-secret-of-vision",
};

test("config check: lists all problems of all programs at once, with what was probably meant", async () => {
  const { code, stdout } = await runCliHere(["config", "check", "--json"], {
    VOXBUS_LOG_LEVEL: "inof",
    VOXBUS_GATEWAY_PORT: "70000",
    VOXBUS_LLM_ENGINE: "opneai",
    VOXBUS_GATEWAY_PROT: "8000",
    VOXBUS_KITCHEN_LIGHT: "1",
  });
  expect(code).toBe(1);
  const { valid, problems, unknown } = JSON.parse(stdout) as {
    readonly valid: boolean;
    readonly problems: readonly { readonly problem: string; readonly programs: readonly string[] }[];
    readonly unknown: readonly object[];
  };
  expect(valid).toBe(false);
  const find = (start: string) => problems.find(({ problem }) => problem.startsWith(start));
  expect(find("VOXBUS_LOG_LEVEL")?.problem).toContain("Did you mean info?");
  expect(find("VOXBUS_LOG_LEVEL")?.programs).toEqual(["gateway", "asr", "tts", "dialogue", "tools", "monitor"]);
  expect(find("VOXBUS_GATEWAY_PORT")?.programs).toEqual(["gateway"]);
  expect(find("VOXBUS_LLM_ENGINE: ")?.problem).toContain("Did you mean openai?");
  expect(unknown).toEqual([
    { name: "VOXBUS_GATEWAY_PROT", meant: "VOXBUS_GATEWAY_PORT" },
    { name: "VOXBUS_KITCHEN_LIGHT" },
  ]);
});

test("config check: rules between variables of one program are all listed", async () => {
  const { code, stdout } = await runCliHere(["config", "check"], {
    VOXBUS_GATEWAY_HOST: "0.0.0.0",
    VOXBUS_PING_MS: "90000",
    VOXBUS_GATEWAY_TLS_CERT: "/none.pem",
  });
  expect(code).toBe(1);
  for (const name of ["VOXBUS_AUTH", "VOXBUS_SUSPECT_MS", "VOXBUS_GATEWAY_TLS_KEY"])
    expect(stdout).toMatch(new RegExp(`^${name}: .* \\(gateway\\)$`, "m"));
});

test("config check: valid variables, and those of a file, are valid; the environment's own count", async () => {
  const file = join(folder, "voxbus.env");
  writeFileSync(file, "# a comment\nVOXBUS_LOG_LEVEL=shouting\nVOXBUS_TURNS_MB='64'\nVOXBUS_LLM_KEY=\n");
  const wrong = await runCliHere(["config", "check", "--env-file", file]);
  expect([wrong.code, wrong.stdout]).toEqual([1, expect.stringContaining("VOXBUS_LOG_LEVEL")]);
  const right = await runCliHere(["config", "check", "--env-file", file], { VOXBUS_LOG_LEVEL: "warn" });
  expect([right.code, right.stdout]).toEqual([0, expect.stringMatching(/^valid: 2 of \d+ variables are set\n$/)]);
});

test("config check: a line of a file without = hides no variable after it", async () => {
  const file = join(folder, "broken.env");
  writeFileSync(file, "VOXBUS_TURNS_MB=64\nVOXBUS_LLM_KEY a-secret\nVOXBUS_LOG_LEVEL=shouting\n");
  const { code, stderr } = await runCliHere(["config", "check", "--env-file", file]);
  expect([code, stderr]).toEqual([1, `voxbus config: Line 2 of ${file} is not NAME=VALUE.\n`]);
});

test("config print: shows what is set, and never a secret", async () => {
  const env = {
    ...secrets,
    VOXBUS_NATS_URL: "nats://me:a-secret-in-a-url@127.0.0.1:4222",
    VOXBUS_NATS_CA: "/etc/ca.pem",
  };
  const { code, stdout, stderr } = await runCliHere(["config", "print", "--set"], env);
  expect(code).toBe(0);
  expect(stdout + stderr).not.toContain("a-secret");
  for (const name of Object.keys(env)) expect(stdout).toMatch(new RegExp(`^${name} `, "m"));
  expect(stdout).toMatch(/^VOXBUS_NATS_CA +set +\/etc\/ca\.pem/m);
  expect(stdout).toMatch(/^VOXBUS_AUTH_KEY +set +\*\*\* +gateway$/m);
  const check = await runCliHere(["config", "check"], {
    ...env,
    VOXBUS_AUTH_KEY: "short-a-secret",
    VOXBUS_NATS_URL: "http://x:a-secret@h",
  });
  expect(check.code).toBe(1);
  expect(check.stdout + check.stderr).not.toContain("a-secret");
});

test.each([
  [["config"], /check\|print is missing/],
  [["config", "chekc"], /check\|print is one of check, print, not "chekc"/],
])("config: %j is wrong usage", async (args, problem) => {
  const { code, stderr } = await runCliHere(args);
  expect([code, stderr]).toEqual([2, expect.stringMatching(problem)]);
});

test("config: a file that cannot be read is named", async () => {
  const { code, stderr } = await runCliHere(["config", "check", "--env-file", join(folder, "none")]);
  expect([code, stderr]).toEqual([1, expect.stringContaining("ENOENT")]);
});

test("config check: the key of an engine may be a variable of the file", async () => {
  const engines = join(folder, "engines.json");
  const entry = {
    name: "cloud",
    role: "llm",
    kind: "openai",
    url: "http://127.0.0.1:1/v1",
    model: "m",
    keyEnv: "CLOUD_KEY",
  };
  writeFileSync(engines, JSON.stringify({ engines: [entry] }));
  const file = join(folder, "keyed.env");
  writeFileSync(file, `VOXBUS_ENGINES_FILE=${engines}\n`);
  const check = () => runCliHere(["config", "check", "--env-file", file]);
  expect((await check()).stdout).toContain("the variable CLOUD_KEY is not set");
  writeFileSync(file, `VOXBUS_ENGINES_FILE=${engines}\nCLOUD_KEY=a-key-of-the-cloud\n`);
  expect(await check()).toMatchObject({ code: 0, stdout: expect.stringContaining("valid") as string });
});

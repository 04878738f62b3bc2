import { describe, expect, it } from "vitest";
import { z } from "zod";
import { apiUrl, baseConfig, ConfigError, describeConfig, flag, port, readConfig } from "./config.ts";
import { knownVariables } from "./variables.ts";

const shape = {
  ...baseConfig,
  VOXBUS_GATEWAY_PORT: port.default(8000).describe("port for devices"),
  VOXBUS_NATS_URL: z.url().describe("where NATS is"),
  VOXBUS_OFFLINE: flag.default(false).describe("never download"),
};
const given = { VOXBUS_NATS_URL: "nats://127.0.0.1:4222" };

describe("readConfig", () => {
  it("defaults: stand for what is unset or empty", () => {
    const { config } = readConfig(shape, { ...given, VOXBUS_GATEWAY_PORT: "", VOXBUS_LOG_LEVEL: undefined });
    expect(config).toMatchObject({ VOXBUS_GATEWAY_PORT: 8000, VOXBUS_LOG_LEVEL: "info", VOXBUS_OFFLINE: false });
  });

  it("values: are read from text", () => {
    const { config } = readConfig(shape, { ...given, VOXBUS_GATEWAY_PORT: "0", VOXBUS_OFFLINE: "1" });
    expect(config).toMatchObject({ VOXBUS_GATEWAY_PORT: 0, VOXBUS_OFFLINE: true });
  });

  it("problems: all of them at once, each naming its variable", () => {
    const bad = { VOXBUS_GATEWAY_PORT: "65536", VOXBUS_LOG_LEVEL: "loud", VOXBUS_OFFLINE: "perhaps" };
    let problems: readonly string[] = [];
    try {
      readConfig(shape, bad);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      ({ problems } = error);
      expect(error.message).toBe(problems.join("\n"));
    }
    expect(problems.map((problem) => problem.replace(/:.*/, "")).toSorted()).toEqual([
      "VOXBUS_GATEWAY_PORT",
      "VOXBUS_LOG_LEVEL",
      "VOXBUS_NATS_URL",
      "VOXBUS_OFFLINE",
    ]);
  });

  it.each(["abc", "-1", "1.5", "65536"])("a port: %s is not a port", (value) => {
    expect(() => readConfig(shape, { ...given, VOXBUS_GATEWAY_PORT: value })).toThrow(/^VOXBUS_GATEWAY_PORT: /);
  });

  it("unknown variables: those that begin with VOXBUS_ and belong to no program", () => {
    const env = { ...given, VOXBUS_GATEWAY_PROT: "1", VOXBUS_ASR_ENGINE: "openai", HOME: "/", OTEL_SERVICE_NAME: "x" };
    expect(readConfig(shape, env).unknown).toEqual(["VOXBUS_GATEWAY_PROT"]);
  });
});

describe("describeConfig", () => {
  it("manual: every variable with its default, meaning and choices", () => {
    const manual = describeConfig(shape);
    expect(manual).toContain("  VOXBUS_GATEWAY_PORT [8000]\n      port for devices");
    expect(manual).toContain("  VOXBUS_NATS_URL\n      where NATS is");
    expect(manual).toContain('  VOXBUS_LOG_FORMAT ["auto"]\n');
    expect(manual).toContain("(json, pretty, auto)");
    for (const name of Object.keys(shape)) expect(manual).toContain(`  ${name}`);
  });
});

describe("knownVariables", () => {
  it("list: sorted, each once, all of them VOXBUS_*", () => {
    expect([...knownVariables]).toEqual([...new Set(knownVariables)].toSorted());
    expect(knownVariables.filter((name) => !/^VOXBUS_[A-Z0-9_]+$/.test(name))).toEqual([]);
  });
});

describe("apiUrl", () => {
  it.each([
    "http://localhost:8000/v1",
    "https://api.example/openai/v1/",
    "http://[::1]:11434/v1",
    "http://h/models/v1",
  ])("%s: is accepted", (url) => {
    expect(apiUrl.safeParse(url).success).toBe(true);
  });

  it.each([
    ["localhost:11434/v1", "begins with http:// or https://"],
    ["127.0.0.1:11434", "begins with http:// or https://"],
    ["ftp://host/v1", "begins with http:// or https://"],
    ["http//host/v1", "begins with http:// or https://"],
    ["http://", "begins with http:// or https://"],
    ["http://user:s3cret@host/v1", "without a user and a password"],
    ["http://host/v1/chat/completions", "expected the base URL"],
    ["http://host/v1/audio/speech/", "expected the base URL"],
  ])("%s: the problem is named, and the URL is not quoted", (url, problem) => {
    const { error } = apiUrl.safeParse(url);
    expect(error?.issues.map(({ message }) => message)).toEqual([expect.stringContaining(problem)]);
    expect(error?.message).not.toContain("s3cret");
  });
});

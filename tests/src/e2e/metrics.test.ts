import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { readName, readPage, readTable, root } from "../docs/markdown.ts";
import { launchSystem, type LaunchedSystem } from "./launcher.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** A line of /metrics: a name with labels. */
interface Series {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
}

/** Metrics that an idle system does not have, and why. */
const later = new Map([
  ["voxbus_monitor_request_seconds", "paths appear with their first request"],
  ["voxbus_gateway_worker_restarts", "only with VOXBUS_GATEWAY_WORKERS"],
  ["voxbus_mcp_call_seconds", "the servers of VOXBUS_MCP_FILE"],
  ["voxbus_mcp_server_connected", "the servers of VOXBUS_MCP_FILE"],
  ["voxbus_mcp_server_tools", "the servers of VOXBUS_MCP_FILE"],
  ["voxbus_mcp_server_restarts", "the servers of VOXBUS_MCP_FILE"],
  ["voxbus_mcp_tools_left_out", "the servers of VOXBUS_MCP_FILE"],
  ["voxbus_recorder_losses", "an example, which npm start does not start"],
]);

const names = ["gateway", "asr", "dialogue", "tools", "tts", "monitor", "mcp"];
let system: LaunchedSystem;
let texts: ReadonlyMap<string, string>;
let series: readonly Series[];

beforeAll(async () => {
  system = await launchSystem({ env: { VOXBUS_MCP_PORT: "0", VOXBUS_MCP_TOKEN: "a-long-token-of-this-test" } });
  // It comes with the monitor's first measurement.
  const hasMeasured = async () => expect(await read("monitor")).toContain("voxbus_monitor_consumer_pending");
  await vi.waitFor(hasMeasured, { timeout: 30_000 });
  texts = new Map(await Promise.all(names.map(async (name) => [name, await read(name)] as const)));
  series = [...texts.values()].flatMap((text) => text.split("\n").flatMap(readSeries));
});
afterAll(() => system?.close());

async function read(program: string): Promise<string> {
  const ops = new RegExp(`^${program} .*"ops":"([^"]+)"`, "m").exec(system.output())?.[1];
  return (await fetch(`${ops}/metrics`)).text();
}

function readSeries(line: string): readonly Series[] {
  const [, name, labels = ""] = /^([a-z_]+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
  return name === undefined ? [] : [{ name, labels: readLabels(labels) }];
}

function readLabels(text: string): ReadonlyMap<string, string> {
  return new Map([...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = "", value = ""]) => [label, value]));
}

/** Tells of a query's selectors, such as `name{label=~"a|b"}`, those that select none of the series. */
function findMissing(query: string): readonly string[] {
  return [...query.matchAll(/\b(voxbus_\w+)(?:\{([^}]*)\})?/g)].flatMap(([selector, name, matchers = ""]) => {
    const wanted = [...matchers.matchAll(/(\w+)(=~?)"([^"]*)"/g)];
    const isSelected = ({ labels }: Series) =>
      wanted.every(([, label = "", kind, value = ""]) => {
        const found = labels.get(label) ?? "";
        return kind === "=" ? found === value : new RegExp(`^(?:${value})$`).test(found);
      });
    return series.some((one) => one.name === name && isSelected(one)) ? [] : [selector];
  });
}

/** Tells of the labels that a query groups by those that none of its series has. */
function findMissingLabels(query: string): readonly string[] {
  // Prometheus adds these to each series, in Kubernetes also the last.
  const own = new Set(["job", "instance", "pod"]);
  return [...query.matchAll(/\bby \(([^)]*)\)[^]*?\b(voxbus_\w+)/g)].flatMap(([, list = "", name]) =>
    list
      .split(",")
      .map((label) => label.trim())
      .filter((label) => !own.has(label) && !series.some((one) => one.name === name && one.labels.has(label))),
  );
}

test("dashboard: an idle system has the series and the labels of every query", () => {
  const dashboard = JSON.parse(readFileSync(`${root}deploy/grafana/voxbus.json`, "utf8")) as {
    readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[];
  };
  const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  expect(queries.length).toBeGreaterThan(40);
  expect(queries.flatMap(findMissing)).toEqual([]);
  expect(queries.flatMap(findMissingLabels)).toEqual([]);
});

test("alerts: an idle system has the series and the labels of every rule", () => {
  const text = readFileSync(`${root}deploy/alerts/voxbus.rules.yml`, "utf8");
  const queries = text
    .split("- alert: ")
    .slice(1)
    .map((rule) => /^ +expr: ([^]*?)^ +(?:for|labels):/m.exec(rule)?.[1] ?? "");
  expect(queries.length).toBeGreaterThan(10);
  expect(queries.flatMap(findMissing)).toEqual([]);
  expect(queries.flatMap(findMissingLabels)).toEqual([]);
});

test("alerts: each reason of drops in a rule is a series of its own", () => {
  const text = readFileSync(`${root}deploy/alerts/voxbus.rules.yml`, "utf8");
  const reasons = /dropped_frames_total\{reason=~"([^"]*)"/.exec(text)?.[1]?.split("|") ?? [];
  expect(reasons.length).toBeGreaterThan(10);
  expect(reasons.flatMap((one) => findMissing(`voxbus_gateway_dropped_frames_total{reason="${one}"}`))).toEqual([]);
});

test("documented metrics: an idle system has each of them", () => {
  const shown = new Set(series.map(({ name }) => name.replace(/_(?:total|count)$/, "")));
  const documented = readTable(readPage("docs/operations.md"), "table: metrics").map(([name]) => readName(name));
  expect(documented.filter((name) => !shown.has(name) && !later.has(name))).toEqual([]);
});

test("target_info: each program names itself", () => {
  const named = [...texts.values()].map((text) => /^target_info\{[^}]*service_name="([^"]*)"/m.exec(text)?.[1]);
  expect(named).toEqual(names.map((name) => `voxbus-${name}`));
});

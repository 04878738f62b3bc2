import type { ServiceInfo } from "@voxbus/bus";
import { expect, test } from "vitest";
import { discoverServices, mapChannels, mergeServices } from "./services.ts";

const service = (
  id: string,
  name: string,
  metadata: Record<string, string> = {},
  tools: string[] = [],
): ServiceInfo => ({
  type: "io.nats.micro.v1.info_response",
  name,
  id,
  version: metadata["version"] ?? "0.0.0",
  metadata,
  endpoints: tools.map((tool) => ({ name: tool, subject: `tool.${tool}` })),
});
const program = (id: string, name: string, more: Record<string, string> = {}) =>
  service(id, name, { voxbus: "program", consumes: "", produces: "", ...more });

test("services: the processes of a program are one, with all that they use", () => {
  const merged = mergeServices([
    program("2", "doorbell", { version: "1.1.0", consumes: "device.<id>.heard", owner: "home team" }),
    program("1", "doorbell", {
      version: "1.0.0",
      produces: "device.<id>.say.open",
      link: "https://example.org/doorbell",
    }),
  ]);
  expect(merged).toEqual([
    {
      name: "doorbell",
      versions: ["1.0.0", "1.1.0"],
      instances: 2,
      owner: "home team",
      link: "https://example.org/doorbell",
      consumes: ["device.<id>.heard"],
      produces: ["device.<id>.say.open"],
      tools: [],
    },
  ]);
});

test("services: a program in another language shows its tools, and a service without any is not ours", () => {
  const merged = mergeServices([service("1", "weather", {}, ["weather"]), service("2", "billing")]);
  expect(merged.map(({ name, tools, versions }) => [name, tools, versions])).toEqual([["weather", ["weather"], []]]);
});

test("services: a link that is no web address is left out", () => {
  const [shown] = mergeServices([program("1", "odd", { link: "javascript:alert(1)", owner: "x".repeat(1000) })]);
  expect(shown?.link).toBeUndefined();
  expect(shown?.owner).toHaveLength(128);
});

test("services: 1,000 programs with 1,000 channels each are cut", () => {
  const channels = Array.from({ length: 1000 }, (_, n) => `c${n}`).join(",");
  const merged = mergeServices(
    Array.from({ length: 1000 }, (_, n) => program(`${n}`, `p${n}`, { produces: channels })),
  );
  expect(merged).toHaveLength(200);
  expect(merged[0]?.produces).toHaveLength(64);
  expect(mapChannels(merged)).toHaveLength(64);
});

test("map: a pattern hears the channels that it covers", () => {
  const merged = mergeServices([
    program("1", "gateway", { produces: "device.<id>.in.text,device.<id>.in.control.open,device.<id>.event" }),
    program("2", "asr", { consumes: "device.<id>.in.>,device.<id>.in.control.open" }),
    program("3", "recorder", { consumes: "device.*.event,device.<id>.say.open" }),
  ]);
  expect(mapChannels(merged)).toEqual([
    { channel: "device.<id>.event", from: ["gateway"], to: ["recorder"] },
    { channel: "device.<id>.in.control.open", from: ["gateway"], to: ["asr"] },
    { channel: "device.<id>.in.text", from: ["gateway"], to: ["asr"] },
    { channel: "device.<id>.say.open", from: [], to: ["recorder"] },
  ]);
});

test("services: of programs that tell a megabyte each, a limited part is kept and mapped, quickly", () => {
  const channels = (from: number) => Array.from({ length: 60_000 }, (_, at) => `a.${from}.<id>.b${at}`).join(",");
  const huge = program("", "", {
    consumes: channels(1),
    produces: channels(2),
    owner: "x".repeat(500_000),
    other: "y",
  });
  const tools = Array.from({ length: 4096 }, (_, at) => ({ name: `t${at}`, subject: `tool.t${at}` }));
  let find: (service: ServiceInfo) => unknown = () => undefined;
  const services = discoverServices({
    discover: (found) => {
      find = found;
      return { ask: () => undefined, check: () => undefined, close: () => undefined };
    },
  });
  const began = process.cpuUsage();
  for (let at = 0; at < 5000; at += 1) find({ ...huge, id: `${at}`, name: `p${at % 300}`, endpoints: tools });
  const list = services.list();
  const map = mapChannels(list);
  services.close();
  expect(process.cpuUsage(began).user).toBeLessThan(20_000_000);
  expect(list).toHaveLength(200);
  expect(list.reduce((sum, { instances }) => sum + instances, 0)).toBeLessThan(4000);
  expect(list[0]?.consumes).toHaveLength(64);
  expect(map.length).toBeLessThanOrEqual(200);
  expect(JSON.stringify({ list, map }).length).toBeLessThan(8_000_000);
});

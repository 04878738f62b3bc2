import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { deviceHelp, readDeviceCommand } from "./device-options.ts";
import { fleetHelp, readFleetPlan } from "./fleet-options.ts";

test("device options: inputs keep their order, and every other option has a default", () => {
  const command = readDeviceCommand([
    "--text",
    "hello",
    "--wav",
    "a.wav",
    "--text",
    "bye",
    "--id",
    "02:AB:00:00:00:01",
  ]);
  expect(command).toMatchObject({
    identity: { url: "ws://127.0.0.1:8000/xiaozhi/v1/", id: "02:ab:00:00:00:01", protocol: 1 },
    mode: "auto",
    out: "answer.wav",
    timeoutMs: 20_000,
    inputs: [{ text: "hello" }, { wav: "a.wav" }, { text: "bye" }],
  });
  expect(command?.identity.clientId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(readDeviceCommand([])?.identity.id).toBe(readDeviceCommand([])?.identity.id);
  expect(readDeviceCommand(["--help"])).toBeUndefined();
});

test("device options: --ota alone stands for a gateway on this machine", () => {
  const here = { ota: "http://127.0.0.1:8000/xiaozhi/ota/" };
  expect(readDeviceCommand(["--ota", "--activate"])).toMatchObject({ ...here, activate: true });
  expect(readDeviceCommand(["--text", "a", "--ota"])).toMatchObject({ ...here, activate: false });
  expect(readDeviceCommand(["--ota", "http://a/"])).toMatchObject({ ota: "http://a/" });
});

test.each([
  [["--protocol", "4"], '--protocol is one of 1, 2, 3, not "4".'],
  [["--mode", "loud"], '--mode is one of auto, manual, realtime, not "loud".'],
  [["--url", "http://x/"], '--url is a URL that begins with ws:// or wss://, not "http://x/".'],
  [["--ota", "nowhere"], '--ota is a URL that begins with http:// or https://, not "nowhere".'],
  [["--activate"], "--activate needs --ota"],
  [["--serial", "S1", "--key", "12"], "--key is 32 to 128 hexadecimal digits."],
  [["--id", "a.b"], '--id is 1 to 64 characters of A-Z a-z 0-9 : _ -, not "a.b".'],
  [["--timeout", ""], '--timeout is a number from 1 to 3600, not "".'],
  [["--script", "--text", "a"], "--script takes its inputs from stdin, not from --wav, --text, --wake or --noise"],
  [["--noise", "song"], "--noise is one of slams, coughs, "],
  [["--mcp", "odd"], "--mcp is one of stock, silent, "],
  [["--reconnect", "never"], '--reconnect is one of use, always, not "never".'],
  [["--loud"], "Unknown option '--loud'. --help lists the options."],
  [["a.wav"], "Unexpected argument 'a.wav'. --help lists the options."],
])("device options: %j is rejected with an explanation", (args, sentence) => {
  expect(() => readDeviceCommand(args)).toThrow(sentence);
});

test.each([
  [["--devices", "1.5"], '--devices is a whole number from 1 to 50000, not "1.5".'],
  [["--rate", "fast"], '--rate is a number from 0.001 to 10000, not "fast".'],
  [["--spoken", "2"], '--spoken is a number from 0 to 1, not "2".'],
  [["--prefix", "a*"], '--prefix is 1 to 50 characters of A-Z a-z 0-9 : _ -, not "a*".'],
  [["--url", "ws://a/", "--url", "b"], '--url is a URL that begins with ws:// or wss://, not "b".'],
])("fleet options: %j is rejected with an explanation", (args, sentence) => {
  expect(() => readFleetPlan(args)).toThrow(sentence);
});

test("fleet options: several URLs and every default", () => {
  expect(readFleetPlan(["--url", "ws://a/", "--url", "ws://b/", "--devices", "7"])).toEqual({
    devices: {
      count: 7,
      urls: ["ws://a/", "ws://b/"],
      prefix: "fleet",
      token: undefined,
      protocol: 1,
      connectRate: 50,
      listening: false,
    },
    rate: 1,
    minutes: 1,
    spoken: 0.5,
    timeoutMs: 20_000,
  });
});

test.each([
  ["device", deviceHelp],
  ["fleet", fleetHelp],
])("options: the manual of the %s names every option", async (program, manual) => {
  const source = await readFile(new URL(`${program}-options.ts`, import.meta.url), "utf8");
  const table = source.slice(source.indexOf("const options = {"), source.indexOf("} as const"));
  const options = [...table.matchAll(/^ {2}"?([a-z-]+)"?:/gm)].map(([, name]) => `--${name}`);
  expect(options.length).toBeGreaterThan(8);
  expect(options.filter((option) => !manual.includes(option))).toEqual([]);
});

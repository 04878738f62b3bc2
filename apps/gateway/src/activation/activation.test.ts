import { createHmac } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { activationMs, buckets, type Activation } from "@voxbus/protocol";
import type { Running } from "@voxbus/subscriber";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { openTestGateways, type TestGateways } from "../test-gateways.ts";

let gateways: TestGateways;
let one: Running;
let two: Running;
let folder: string;

const auth = { VOXBUS_AUTH: "hmac", VOXBUS_AUTH_KEY: "a-key-of-sixteen-or-more" };
const key = "0011".repeat(16);

beforeAll(async () => {
  gateways = await openTestGateways();
  folder = await mkdtemp(join(tmpdir(), "voxbus-activation-"));
  await writeFile(join(folder, "keys"), `# boards\nS1 ${key}\n`);
  const env = { ...auth, VOXBUS_ACTIVATION: "code", VOXBUS_ACTIVATION_KEYS: join(folder, "keys") };
  [one, two] = await Promise.all([gateways.start(env), gateways.start(env)]);
});
afterEach(async () => {
  for (const code of await waitingCodes()) await activations().remove(code);
  await vi.waitFor(async () => expect(await waitingCodes()).toEqual([]));
});
afterAll(async () => {
  await gateways.stop();
  await rm(folder, { recursive: true });
});

const activations = () => gateways.bus.bucket(buckets.activations);
const registry = () => gateways.bus.bucket(buckets.registry);
const clientOf = (id: string) => `the-client-id-of-${id.toLowerCase()}`;

async function waitingCodes(): Promise<readonly string[]> {
  const ids = await activations().ids();
  const found = await Promise.all(ids.map((id) => activations().get(id)));
  return found.flatMap((entry) => (entry === undefined ? [] : [entry.id]));
}

interface Configuration {
  readonly websocket: { readonly token: string };
  readonly activation?: { readonly code?: string; readonly message?: string; readonly challenge: string };
}

function post(to: Running, id: string, path = "", more: { body?: object; headers?: Record<string, string> } = {}) {
  return fetch(`${to.addresses["ota"]}${path}`, {
    method: "POST",
    headers: { "Device-Id": id, "Client-Id": clientOf(id), ...more.headers },
    body: JSON.stringify(more.body ?? {}),
  });
}
const ask = async (to: Running, id: string, headers: Record<string, string> = {}) =>
  (await (await post(to, id, "", { headers })).json()) as Configuration;
const poll = async (to: Running, id: string, body: object = {}) => (await post(to, id, "activate", { body })).status;

/** Makes the proof of the board with the serial number S1. */
const prove = (secret: string, challenge: string) => ({
  algorithm: "hmac-sha256",
  serial_number: "S1",
  challenge,
  hmac: createHmac("sha256", Buffer.from(secret, "hex")).update(challenge).digest("hex"),
});

/** Lets the device in that waits with a code, as the monitor does. */
async function letIn(code: string): Promise<Activation> {
  const waiting = (await activations().get(code))?.value;
  if (waiting === undefined) throw new Error(`no device waits with ${code}`);
  await registry().modify(waiting.device, (found) => ({
    since: 1,
    ...found,
    allowed: true,
    tokens: [waiting.token],
  }));
  await activations().remove(code);
  return waiting;
}

const connects = (to: Running, id: string, token: string) =>
  gateways.connect(to, { id, headers: { "Client-Id": clientOf(id), Authorization: `Bearer ${token}` } });

it("an unknown device: shows a code, is let in at another gateway, and connects with a token of its own", async () => {
  const { activation, websocket } = await ask(one, "02:00:00:00:00:AB");
  expect(activation).toEqual({
    code: expect.stringMatching(/^\d{6}$/) as string,
    message: `voxbus\n${activation?.code}`,
    challenge: expect.any(String) as string,
    timeout_ms: 30_000,
  });
  expect(websocket.token).toBe("");
  expect(await poll(two, "02:00:00:00:00:ab")).toBe(202);
  expect(await letIn(activation!.code!)).toMatchObject({ device: "02:00:00:00:00:ab", remote: "127.0.0.1" });
  await vi.waitFor(async () => expect(await poll(two, "02:00:00:00:00:ab")).toBe(200), { timeout: 5000 });
  const after = await ask(two, "02:00:00:00:00:ab");
  expect(after.activation).toBeUndefined();
  expect(JSON.stringify(await registry().get("02:00:00:00:00:ab"))).not.toContain(after.websocket.token);
  await connects(two, "02:00:00:00:00:ab", after.websocket.token);
  // It gets the same token again, and no write is needed for that.
  const { revision } = (await registry().get("02:00:00:00:00:ab"))!;
  await vi.waitFor(async () =>
    expect((await ask(one, "02:00:00:00:00:ab")).websocket.token).toBe(after.websocket.token),
  );
  expect((await registry().get("02:00:00:00:00:ab"))?.revision).toBe(revision);
});

it("a device that asks again at the moment in which it is let in: gets its token, and connects to either gateway", async () => {
  for (const [n, to] of [one, two, one, two].entries()) {
    const { activation } = await ask(one, `prompt-${n}`);
    await letIn(activation!.code!);
    const { token } = (await ask(to, `prompt-${n}`)).websocket;
    expect(token).not.toBe("");
    await connects(to === one ? two : one, `prompt-${n}`, token);
  }
});

it("a gateway that is gone: another one that starts knows the code", async () => {
  const { activation } = await ask(one, "survivor");
  const three = await gateways.start({ ...auth, VOXBUS_ACTIVATION: "code" });
  expect((await ask(three, "survivor")).activation?.code).toBe(activation?.code);
});

it("one device that asks 100 times at both gateways, its id in either case: has at most a code of each", async () => {
  const asked = await Promise.all(
    Array.from({ length: 100 }, (_, n) => ask(n % 2 ? one : two, n % 3 ? "02:00:00:00:00:aa" : "02:00:00:00:00:AA")),
  );
  const codes = new Set(asked.map(({ activation }) => activation?.code));
  expect(asked.filter(({ activation }) => activation === undefined)).toEqual([]);
  expect(codes.size).toBeLessThanOrEqual(2);
  expect(new Set(await waitingCodes())).toEqual(codes);
});

it("a stranger with the id of an activated device: gets a code of its own, and never the token", async () => {
  const { activation } = await ask(one, "owned");
  await letIn(activation!.code!);
  await vi.waitFor(async () => expect(await poll(one, "owned")).toBe(200));
  const { token } = (await ask(one, "owned")).websocket;
  const stranger = await ask(one, "owned", { "Client-Id": "another-client-id" });
  expect(stranger.websocket.token).toBe("");
  expect(stranger.activation?.code).toMatch(/^\d{6}$/);
  await letIn(stranger.activation!.code!);
  await expect.poll(() => connects(one, "owned", token).catch((error: Error) => error.message)).toMatch(/401/);
});

it("a client id that anyone could guess: gets no code", async () => {
  for (const client of ["", "short", "a-long-enough-device-id"]) {
    const { activation, websocket } = await ask(one, "a-long-enough-device-id", { "Client-Id": client });
    expect([activation, websocket.token]).toEqual([undefined, ""]);
  }
});

it("a code that has expired: is replaced by another one", async () => {
  const { activation } = await ask(one, "slow");
  const code = activation!.code!;
  const entry = (await activations().get(code))!.value!;
  await activations().put(code, { ...entry, at: entry.at - activationMs - 1 });
  await vi.waitFor(async () => expect((await ask(one, "slow")).activation?.code).not.toBe(code));
});

it("a device that was disabled: gets neither a code nor a token", async () => {
  await registry().put("bad", { allowed: false, since: 1 });
  await vi.waitFor(async () => expect((await ask(one, "bad")).activation).toBeUndefined());
  expect((await ask(one, "bad")).websocket.token).toBe("");
});

it("a board that was disabled while it waits: is not let in by its proof", async () => {
  const { challenge } = (await ask(one, "bad-board", { "Serial-Number": "S1" })).activation!;
  await registry().put("bad-board", { allowed: false, since: 1 });
  expect(await poll(one, "bad-board", prove(key, challenge))).toBe(202);
  expect((await registry().get("bad-board"))?.value).toEqual({ allowed: false, since: 1 });
});

it("50 devices of one address wait: one more is refused, and one of another address is not", async () => {
  const behind = await gateways.start({ ...auth, VOXBUS_ACTIVATION: "code", VOXBUS_TRUSTED_PROXIES: "127.0.0.1" });
  const status = async (id: string, address: string) =>
    (await post(behind, id, "", { headers: { "X-Forwarded-For": address } })).status;
  const asked = await Promise.all(Array.from({ length: 60 }, (_, n) => status(`crowd-${n}-device`, "198.51.100.1")));
  expect(asked.filter((code) => code === 200)).toHaveLength(50);
  expect(asked.filter((code) => code === 503)).toHaveLength(10);
  expect(await status("bystander-device", "198.51.100.2")).toBe(200);
});

it("a board with a key: is let in by its proof without a code; wrong proofs are not, and are limited", async () => {
  const { activation } = await ask(one, "board-1", { "Serial-Number": "S1" });
  expect(activation).toEqual({ challenge: expect.any(String) as string, timeout_ms: 30_000 });
  const challenge = activation!.challenge;
  expect(await poll(two, "board-1", prove("ff".repeat(32), challenge))).toBe(202);
  expect(await poll(two, "board-1", prove(key, "another"))).toBe(202);
  expect(await poll(two, "board-1", { Payload: prove(key, challenge) })).toBe(200);
  await vi.waitFor(async () => expect((await ask(two, "board-1")).websocket.token).not.toBe(""));
  const other = (await ask(one, "board-2", { "Serial-Number": "S1" })).activation!.challenge;
  const wrong = await Promise.all(
    Array.from({ length: 200 }, () => poll(one, "board-2", prove("ff".repeat(32), other))),
  );
  expect(wrong.filter((status) => status === 429).length).toBeGreaterThan(150);
  expect(wrong).not.toContain(200);
});

it("allow-all: a new device gets a token of its own at once, and no other client gets it", async () => {
  const open = await gateways.start({ VOXBUS_AUTH: "token", VOXBUS_ACTIVATION: "allow-all" });
  const { activation, websocket } = await ask(open, "newcomer");
  expect(activation).toBeUndefined();
  expect((await ask(open, "newcomer", { "Client-Id": "another-client-id" })).websocket.token).toBe("");
  await vi.waitFor(async () => expect((await ask(open, "newcomer")).websocket.token).toBe(websocket.token));
  await connects(open, "newcomer", websocket.token);
});

it("a token that is due: is renewed at the next question, and the one before stays valid", async () => {
  const { activation } = await ask(two, "renewed");
  await letIn(activation!.code!);
  await vi.waitFor(async () => expect(await poll(two, "renewed")).toBe(200));
  const { token } = (await ask(two, "renewed")).websocket;
  const [entry] = (await registry().get("renewed"))!.value!.tokens!;
  await registry().modify("renewed", (found) => ({ ...found!, tokens: [{ ...entry!, renewAt: 1 }] }));
  const newer = await vi.waitFor(async () => {
    const asked = (await ask(two, "renewed")).websocket.token;
    expect(asked).not.toBe(token);
    return asked;
  });
  expect((await registry().get("renewed"))?.value?.tokens).toHaveLength(2);
  await connects(two, "renewed", token);
  await vi.waitFor(() => connects(two, "renewed", newer));
});

it("a token that an operator issued: stays valid when the device's own is renewed", async () => {
  const { activation } = await ask(two, "issued");
  await letIn(activation!.code!);
  await vi.waitFor(async () => expect(await poll(two, "issued")).toBe(200));
  const [own] = (await registry().get("issued"))!.value!.tokens!;
  const later = Date.now() + 60_000;
  const issued = { hash: "h".repeat(43), renewAt: later, until: later };
  await registry().modify("issued", (found) => ({ ...found!, tokens: [issued, { ...own!, renewAt: 1 }] }));
  await vi.waitFor(async () => {
    await ask(two, "issued");
    const [renewed, kept] = (await registry().get("issued"))!.value!.tokens!;
    expect(kept).toEqual(issued);
    expect(renewed!.renewAt).toBeGreaterThan(1);
  });
});

it("the file of keys: what is unusable is refused, and the keys before stay in use", async () => {
  const path = join(folder, "changing");
  await writeFile(path, `S1 ${key}\n`);
  const keyed = await gateways.start({ ...auth, VOXBUS_ACTIVATION: "code", VOXBUS_ACTIVATION_KEYS: path });
  await writeFile(path, "S1 not a key\n");
  const { activation } = await ask(keyed, "keyed", { "Serial-Number": "S1" });
  expect(activation).toMatchObject({ challenge: expect.any(String) as string });
  expect(activation!.code).toBeUndefined();
});

it.each([
  [{ VOXBUS_ACTIVATION: "code" }, /VOXBUS_AUTH: VOXBUS_ACTIVATION=code needs token or hmac/],
  [{ ...auth, VOXBUS_ACTIVATION: "perhaps" }, /^VOXBUS_ACTIVATION: /],
  [{ ...auth, VOXBUS_ACTIVATION_KEYS: "/nowhere/keys" }, /^VOXBUS_ACTIVATION_KEYS: /],
])("the configuration %j: the start fails and names the variable", async (env, problem) => {
  await expect(gateways.start(env)).rejects.toThrow(problem);
});

it("a bad line in the file of keys: the start fails, and names the line and not the key", async () => {
  const path = join(folder, "bad");
  await writeFile(path, `S1 ${key}\nS2 secret\n`);
  const failed = gateways.start({ ...auth, VOXBUS_ACTIVATION_KEYS: path });
  await expect(failed).rejects.toThrow(/^VOXBUS_ACTIVATION_KEYS: line 2 must be/);
  await expect(failed).rejects.not.toThrow(/secret/);
});

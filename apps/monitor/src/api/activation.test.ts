import { activationMs, buckets, type Activation } from "@voxbus/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startTestMonitor, type TestMonitor } from "../test-monitor.ts";

let my: TestMonitor;

beforeAll(async () => {
  my = await startTestMonitor();
});
afterAll(() => my?.stop());

const token = { hash: "h".repeat(43), renewAt: 5, until: 6 };
const wait = (code: string, device: string, more: Partial<Activation> = {}) =>
  my.bus.bucket(buckets.activations).put(code, {
    device,
    token,
    challenge: "c",
    remote: "10.0.0.7",
    board: "lamp",
    at: my.bus.now(),
    ...more,
  });
const activate = (body: object) => my.ask("POST", "/api/activations", body);
const registered = async (id: string) => (await my.bus.bucket(buckets.registry).get(id))?.value;

test("a device that waits: is listed without its code, and is let in, named and grouped by it", async () => {
  await wait("123456", "hall");
  await vi.waitFor(async () => {
    const { body } = await my.ask("GET", "/api/activations");
    expect(body["waiting"]).toEqual([
      { id: "hall", at: expect.any(Number), until: expect.any(Number), remote: "10.0.0.7", board: "lamp" },
    ]);
    expect(JSON.stringify(body)).not.toContain("123456");
  });
  expect(await activate({ code: "123-456", name: "Hall", group: "ground" })).toMatchObject({
    body: { device: "hall" },
  });
  expect(await registered("hall")).toMatchObject({ name: "Hall", allowed: true, tokens: [token] });
  expect((await my.bus.bucket(buckets.profiles).get("hall"))?.value?.own).toEqual({ group: "ground" });
  expect((await activate({ code: "123456" })).body).toMatchObject({ type: "/problems/code-unknown" });
});

test("a code that has expired: lets no one in", async () => {
  await wait("000007", "late", { at: my.bus.now() - activationMs - 1 });
  expect((await activate({ code: "000007" })).status).toBe(404);
  expect(await registered("late")).toBeUndefined();
});

test("a device that was disabled while it waits: is not let in by its code until it is allowed", async () => {
  await wait("555555", "stolen");
  await my.ask("PATCH", "/api/registry/stolen", { allowed: false });
  expect((await activate({ code: "555555" })).body).toMatchObject({
    type: "/problems/code-unknown",
    detail: "stolen is disabled: allow it first",
  });
  expect(await registered("stolen")).toEqual({ allowed: false, since: expect.any(Number) as number });
  await my.ask("PATCH", "/api/registry/stolen", { allowed: null });
  expect(await activate({ code: "555555" })).toMatchObject({ body: { device: "stolen" } });
});

test.each([{}, { code: "12345" }, { code: "abcdef" }, { code: "123456", nmae: "x" }, { code: "123456", group: "a.b" }])(
  "the body %j: is refused with its field",
  async (body) => {
    expect((await activate(body)).body).toMatchObject({ type: "/problems/bad-field" });
  },
);

test("500 guesses, a hundred at once: ten are looked up, and the right code is refused then too", async () => {
  const other = await my.another();
  const url = `${other.addresses["monitor"]}api/activations`;
  const guess = async (code: number) => {
    const body = JSON.stringify({ code: String(code).padStart(6, "0") });
    return (await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body })).status;
  };
  await wait("999999", "guarded");
  const answers: number[] = [];
  for (let from = 0; from < 500; from += 100) {
    answers.push(...(await Promise.all(Array.from({ length: 100 }, (_, n) => guess(from + n)))));
  }
  const counts = (status: number) => answers.filter((answer) => answer === status).length;
  expect(counts(404)).toBeLessThan(15);
  expect(counts(404) + counts(429)).toBe(500);
  expect(await guess(999_999)).toBe(429);
  expect(await registered("guarded")).toBeUndefined();
  await other.stop("quick");
});

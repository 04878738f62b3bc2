import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { channels, type Heard } from "@voxbus/protocol";
import { createInbox } from "@voxbus/testing";
import { beforeEach, expect, test, vi } from "vitest";
import { createClaimTurns } from "./claim.ts";
import type { FromClaim } from "./index.ts";
import { readMetrics, useTestPrograms } from "./test-programs.ts";

vi.setConfig({ testTimeout: 20_000 });

const programs = useTestPrograms();
// A new program claims what the stream still has.
beforeEach(() => programs.nats.callApi("STREAM.PURGE.voxbus_DEVICE_IN"));

interface Claimed extends Pick<FromClaim, "device" | "session" | "origin" | "attempt" | "final" | "subject"> {
  readonly text: string;
}
const read = (text: string, { device, session, origin, attempt, final, subject }: FromClaim): Claimed => {
  return { text, device, session, origin, attempt, final, subject };
};
const heard = (text: string): Heard => {
  return { session: "s1", listen: 1, utterance: 1, from: 1, origin: 9, text, language: "en" };
};
const type = (device: string, seq = 1) =>
  programs.gateway.store(channels.inText(device), { session: "s1", seq, at: 1, kind: "text", body: "hello" });

test("claim: one that failed can be tried again", async () => {
  const claims = { held: () => 0, drain: async () => undefined };
  const claim = vi.fn().mockRejectedValueOnce(new Error("denied")).mockResolvedValue(claims);
  const deps = { bus: { claim }, fences: { of: () => undefined }, name: "again", drain: () => undefined };
  const { text } = createClaimTurns(deps as unknown as Parameters<typeof createClaimTurns>[0]);
  await expect(text(() => undefined)).rejects.toThrow("denied");
  await text(() => undefined);
  expect(claim).toHaveBeenCalledTimes(2);
});

test("claim: transcripts and typed text come once, also those from before the program ran", async () => {
  const name = "claims-once";
  const got = createInbox<Claimed>();
  const take = async () =>
    programs.start(
      async ({ claim }) => {
        await claim.heard(({ text }, from) => got.put(read(text, from)));
        await claim.text(({ body }, from) => got.put(read(body, from)));
      },
      { name },
    );
  const first = await take();
  await programs.gateway.store(channels.heard("once-1"), heard("one"));
  await got.find(({ text }) => text === "one");
  await first.stop("quick");
  await type("once-1", 12);
  await take();
  await got.find(({ text }) => text === "hello");
  const rest = { device: "once-1", session: "s1", attempt: 1, final: false };
  expect(got.items).toEqual([
    { text: "one", origin: 9, subject: "device.once-1.heard", ...rest },
    { text: "hello", origin: 12, subject: "device.once-1.in.text", ...rest },
  ]);
});

test("claim: a message that is too old is not handled, but counted", async () => {
  await type("old-1");
  await programs.gateway.store(channels.inText("old-1"), { session: "s1", seq: 2, at: 1, kind: "text", body: "new" });
  const got = createInbox<string>();
  // The messages become old.
  await delay(20);
  const program = await programs.start(({ claim }) => claim.text(({ body }) => got.put(body), { maxAgeMs: 10 }), {
    name: "claims-old",
  });
  await vi.waitFor(async () =>
    expect(await readMetrics(program)).toMatch(/voxbus_bus_drops_total\{[^}]*reason="too-old"[^}]*\} 2/),
  );
  expect(got.items).toEqual([]);
});

test("claim: a message whose process is killed goes to another one", async () => {
  const name = "claims-killed";
  const script = `
    import { subscriber } from "@voxbus/subscriber";
    await subscriber({ name: "${name}" }, async ({ claim }) => {
      await claim.text(() => { console.log("claimed"); return new Promise(() => {}); });
    });`;
  const env = { ...process.env, VOXBUS_NATS_URL: programs.nats.url, VOXBUS_LOG_LEVEL: "error" };
  const worker = spawn(process.execPath, ["--input-type=module", "-e", script], {
    cwd: import.meta.dirname,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const claimed = once(worker.stdout, "data");
  await type("killed-1");
  await claimed;
  worker.kill("SIGKILL");
  const got = createInbox<Claimed>();
  await programs.start(({ claim }) => claim.text(({ body }, from) => got.put(read(body, from))), { name });
  expect(await got.find(() => true)).toMatchObject({ text: "hello", device: "killed-1", attempt: 2 });
});

test("claim: a handler that throws, or takes too long, gets the message again", async () => {
  const attempts: unknown[] = [];
  await programs.start(
    ({ claim }) =>
      claim.text(
        async (_, { attempt, signal }) => {
          attempts.push(attempt);
          if (attempt === 1) throw new Error("broken");
          if (attempt === 2) {
            await new Promise((resolve) => signal.addEventListener("abort", resolve));
            attempts.push("aborted");
            await new Promise(() => undefined);
          }
        },
        { timeoutMs: 50 },
      ),
    { name: "claims-again" },
  );
  await type("again-1");
  await vi.waitFor(() => expect(attempts).toEqual([1, 2, "aborted", 3]), 10_000);
});

test("claim: work that the fence ended is done, and a program that stops gives its work back", async () => {
  const name = "claims-fenced";
  const attempts: number[] = [];
  const reasons: string[] = [];
  const work = async (_: unknown, { attempt, signal }: FromClaim) => {
    attempts.push(attempt);
    if (attempt > 1) return;
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))).catch(
      (error: Error) => {
        reasons.push(error.name);
        throw error;
      },
    );
  };
  const first = await programs.start(({ claim }) => claim.text(work), { name });
  await type("fenced-1", 3);
  await vi.waitFor(() => expect(attempts).toEqual([1]));
  await programs.gateway.store(channels.inControl("fenced-1"), {
    session: "s1",
    seq: 4,
    at: 1,
    kind: "control",
    body: { type: "abort" },
  });
  await vi.waitFor(() => expect(reasons).toEqual(["FencedError"]));
  await type("fenced-2", 5);
  await vi.waitFor(() => expect(attempts).toEqual([1, 1]));
  await first.stop("quick");
  await programs.start(({ claim }) => claim.text(work), { name });
  // Only the work that was given back comes again.
  await vi.waitFor(() => expect(attempts).toEqual([1, 1, 2]));
});

test("claim: a second claim of the same kind is refused", async () => {
  const { context } = await programs.open({ name: "claims-twice" });
  const { claim } = context;
  await claim.text(() => undefined);
  await expect(claim.text(() => undefined)).rejects.toThrow("this program claims device.<id>.in.text already");
  await claim.heard(() => undefined);
});

test.each([
  [{ slots: 0 }, "slots: expected an integer from 1 to 4096"],
  [{ timeoutMs: 0.5 }, "timeoutMs: expected an integer"],
])("claim: %j is refused", async (limits, message) => {
  const { context } = await programs.open();
  await expect(context.claim.text(() => undefined, limits)).rejects.toThrow(message);
});

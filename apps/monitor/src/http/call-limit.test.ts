import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createCallLimit } from "./call-limit.ts";
import { Problem } from "./problems.ts";

function createCalling(options: { readonly perMinute: number; readonly most?: number }) {
  let time = 0;
  const limit = createCallLimit({ ...options, now: () => time });
  return {
    wait: (ms: number) => void (time += ms),
    /** Calls once: true if it is counted, otherwise the seconds of Retry-After. */
    call(address = "10.0.0.1", group: string | undefined = address, token?: string): true | number {
      try {
        limit.count({ address, group }, token);
        return true;
      } catch (error) {
        expect(error).toBeInstanceOf(Problem);
        expect((error as Problem).problem).toBe("too-many-calls");
        return Number((error as Problem).headers["retry-after"]);
      }
    },
  };
}

test("call limit: no 60 s have more calls than the limit, and who waits as long as it says gets in", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.array(fc.integer({ min: 0, max: 30_000 })), (perMinute, pauses) => {
      const { call, wait } = createCalling({ perMinute });
      const taken: number[] = [];
      let at = 0;
      for (const pause of pauses) {
        wait(pause);
        at += pause;
        let seconds = call();
        if (seconds !== true) {
          expect(seconds).toBeGreaterThanOrEqual(1);
          expect(seconds).toBeLessThanOrEqual(60);
          wait(seconds * 1000);
          at += seconds * 1000;
          seconds = call();
        }
        expect(seconds).toBe(true);
        taken.push(at);
        expect(taken.filter((time) => time > at - 60_000).length).toBeLessThanOrEqual(perMinute);
      }
    }),
  );
});

test("call limit: refused calls do not count, so a caller that goes on gets in again", () => {
  const { call, wait } = createCalling({ perMinute: 2 });
  expect([call(), call()]).toEqual([true, true]);
  for (let second = 0; second < 59; second += 1) {
    expect(call()).toBe(60 - second);
    wait(1000);
  }
  wait(1000);
  expect(call()).toBe(true);
});

test("call limit: each address has its own calls, a network of IPv6 shares them, and so do all with one token", () => {
  const open = createCalling({ perMinute: 1 });
  expect([open.call("10.0.0.1"), open.call("10.0.0.2")]).toEqual([true, true]);
  expect([open.call("2001:db8::1", "2001:db8::/64"), open.call("2001:db8::2", "2001:db8::/64")]).toEqual([true, 60]);
  const shared = createCalling({ perMinute: 1 });
  const callAs = (token: string, address: string) => shared.call(address, address, token);
  expect([callAs("one", "10.0.0.1"), callAs("one", "10.0.0.2"), callAs("two", "10.0.0.1")]).toEqual([true, 60, true]);
});

test("call limit: 0 is no limit", () => {
  const { call } = createCalling({ perMinute: 0 });
  for (let n = 0; n < 1000; n += 1) expect(call()).toBe(true);
});

test("call limit: of more callers than it remembers it forgets the one that was away the longest", () => {
  const { call } = createCalling({ perMinute: 1, most: 2 });
  expect([call("a"), call("b"), call("c")]).toEqual([true, true, true]);
  expect(call("c")).toBe(60);
  expect(call("b")).toBe(60);
  expect(call("a")).toBe(true);
});

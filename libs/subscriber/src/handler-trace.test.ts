import { setTimeout as delay } from "node:timers/promises";
import { channels, stored } from "@voxbus/protocol";
import { loose } from "@voxbus/testing";
import { expect, test, vi } from "vitest";
import { useTestPrograms } from "./test-programs.ts";

const programs = useTestPrograms();
const traceOf = (digit: string) => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`;

test("handler: what it sends and stores belongs to the trace of its message, also later and beside others", async () => {
  const sent: string[] = [];
  programs.gateway.subscribe(channels.out("traced"), (_, { trace }) => void sent.push(`alert ${trace["traceparent"]}`));
  programs.gateway.subscribe(stored(channels.sayOpen("traced")), ({ text }, { trace }) =>
    sent.push(`${text} ${trace["traceparent"]}`),
  );
  await programs.gateway.flush();
  await programs.start(({ on, send }) => {
    on.text(
      async ({ body }, { device }) => {
        send.alert(device, "hello");
        await delay(1);
        await send.say(device, body);
      },
      { order: "none" },
    );
  });
  for (const [seq, digit] of ["a", "b"].entries()) {
    const text = { session: "s1", seq: seq + 1, at: 1, kind: "text", body: digit };
    programs.gateway.publish(loose(channels.inText("traced")), text, { traceparent: traceOf(digit) });
  }
  programs.gateway.publish(
    loose(channels.inText("traced")),
    { session: "s1", seq: 3, at: 1, kind: "text", body: "c" },
    {},
  );
  await vi.waitFor(() =>
    expect(sent.toSorted()).toEqual(
      [
        "alert undefined",
        "c undefined",
        ...["a", "b"].flatMap((digit) => [`alert ${traceOf(digit)}`, `${digit} ${traceOf(digit)}`]),
      ].toSorted(),
    ),
  );
});

import { expect, test } from "vitest";
import { readDelivery } from "./delivery.ts";

test("readDelivery: both forms of the acknowledgement's subject", () => {
  expect(readDelivery("$JS.ACK.S.C.2.17.30.1700000000.0")).toEqual({
    attempt: 2,
    seq: 17,
    key: "17@1700000000",
    storedAt: 1700,
  });
  expect(readDelivery("$JS.ACK._.hash.S.C.2.17.30.1700000000.0")).toEqual({
    attempt: 2,
    seq: 17,
    key: "17@1700000000",
    storedAt: 1700,
  });
  expect(readDelivery("$JS.ACK.hub.hash.S.C.2.17.30.1700000000.0.rnd")).toEqual({
    attempt: 2,
    seq: 17,
    key: "17@1700000000",
    storedAt: 1700,
  });
});

import { expect, it } from "vitest";
import { describeError } from "./error-cause.ts";
import { hideSecrets } from "./hide-secrets.ts";

it.each([
  ["nats://user:s3cret@host:4222", "nats://***@host:4222"],
  ["nats://s3cret@a:1,nats://s3cret@b:2", "nats://***@b:2"],
  ["https://hooks.example/path?token=s3cret", "https://hooks.example/path?***"],
  ["https://hooks.example/#s3cret", "https://hooks.example/#***"],
  ["ws://h/xiaozhi/v1/?authorization=Bearer%20s3cret&x=1 refused", "ws://h/xiaozhi/v1/?*** refused"],
  ["nats://user:s3/cr?et#s3cret@host/?s3cret", "nats://***@host/?***"],
  ["Failed to parse URL from http://u:s3cret@host", "Failed to parse URL from http://***@host"],
  ["two: http://a:s3cret@x and 'http://b:s3cret@y'", "two: http://***@x and 'http://***@y'"],
  ["http://127.0.0.1:4318/v1/traces", "http://127.0.0.1:4318/v1/traces"],
  ["somebody@example.org asked: what?", "somebody@example.org asked: what?"],
])("hideSecrets: %s", (text, shown) => {
  expect(hideSecrets(text)).toBe(shown);
});

it("describeError: an error that quotes a URL does not tell its secrets", () => {
  const cause = new TypeError("Request cannot be constructed from a URL that includes credentials: http://u:s3cret@h/");
  const described = JSON.stringify(describeError(new Error("fetch of http://h/?key=s3cret failed", { cause })));
  expect(described).toContain("http://***@h/");
  expect(described).not.toContain("s3cret");
});

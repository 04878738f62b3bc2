import { describeCause, type ErrorCause } from "@voxbus/service";

/** A rule about failures of one reason: may the next engine try, and is the service unusable for everyone? */
interface FailureRule {
  readonly failsOver: boolean;
  readonly cools: boolean;
}

const unusable: FailureRule = { failsOver: true, cools: true };
const once: FailureRule = { failsOver: true, cools: false };
const ours: FailureRule = { failsOver: false, cools: false };

/** The reasons for which a request to an engine fails. Stable, for counters. */
export const failures = {
  /** The service does not take the key, or has no access for it. */
  "bad-key": unusable,
  /** The account has no money or quota left. */
  "no-quota": unusable,
  "rate-limited": unusable,
  "time-out": unusable,
  /** The connection is refused or breaks, the name is unknown, or TLS fails. */
  unreachable: unusable,
  "server-error": unusable,
  /** The service has no such address or model. */
  "not-found": unusable,
  /** The answer is not one that such a service gives. */
  "bad-answer": unusable,
  /** Too much of our own work waits for the engine. */
  busy: once,
  /** Any other failure, such as of a thread. */
  failed: once,
  "bad-request": ours,
  /** The service does not answer this for its content. */
  "refused-content": ours,
} as const satisfies Readonly<Record<string, FailureRule>>;
export type FailureReason = keyof typeof failures;
/** Every reason. */
export const failureReasons = Object.keys(failures) as readonly FailureReason[];

/** Errors of our own engines and pools, by name or code, and of the HTTP clients below them. */
const known: Readonly<Record<string, FailureReason>> = {
  PoolFullError: "busy",
  PoolTimeoutError: "time-out",
  ModelTimeoutError: "time-out",
  APIConnectionTimeoutError: "time-out",
  "time-out": "time-out",
  ETIMEDOUT: "time-out",
  UND_ERR_CONNECT_TIMEOUT: "time-out",
  UND_ERR_HEADERS_TIMEOUT: "time-out",
  UND_ERR_BODY_TIMEOUT: "time-out",
  SyntaxError: "bad-answer",
  "bad-audio": "bad-answer",
};
/** Codes of providers. They say more than the status beside them. */
const codes: readonly (readonly [pattern: RegExp, reason: FailureReason])[] = [
  [/content_(?:filter|policy)|moderation|safety|invalid_prompt/i, "refused-content"],
  [/quota|billing|balance|credit|payment|arrear/i, "no-quota"],
  [/rate_?limit|too_many_requests|resource_exhausted/i, "rate-limited"],
  [/(?:invalid|incorrect|missing).*(?:key|token)|unauthori[sz]ed|unauthenticated|authentication/i, "bad-key"],
  [/model_?not_?found|no_such_model/i, "not-found"],
  [/^(?:E[A-Z]{4,}|E[A-Z]+_[A-Z_]+|UND_ERR_\w+|ERR_(?:TLS|SSL)\w*|[A-Z_]*CERT[A-Z_]*)$/, "unreachable"],
];
const statuses: Readonly<Record<number, FailureReason>> = {
  401: "bad-key",
  402: "no-quota",
  403: "bad-key",
  404: "not-found",
  408: "time-out",
  429: "rate-limited",
};

/** Reads the reason of a failure from an error of an engine: from its cause's name, status and code. */
export function readFailure(error: unknown): FailureReason {
  return readCause(describeCause(error));
}

/** Reads the time (ms) that the service asks for before the next request. Undefined if it does not ask. */
export function readRetryAfter(error: unknown): number | undefined {
  return describeCause(error).retryAfterMs;
}

function readCause({ name, status, code = "" }: ErrorCause): FailureReason {
  const own = known[name] ?? known[code];
  if (own !== undefined) return own;
  const provided = codes.find(([pattern]) => pattern.test(code))?.[1];
  if (provided !== undefined) return provided;
  if (status === undefined) return name === "APIConnectionError" ? "unreachable" : "failed";
  return statuses[status] ?? (status >= 500 ? "server-error" : status >= 400 ? "bad-request" : "failed");
}
